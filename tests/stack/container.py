"""One container as a process: bubblewrap gives it its root, its files and its user; the kernel, its networks."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from stack.compose import Service
from stack.images import PATH, Image
from stack.network import Host

_SYSTEM = (
    "/usr",
    "/etc/ssl",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/passwd",
    "/etc/group",
    "/etc/nsswitch.conf",
)


class Container:
    """A service's process on a host; `folder` is where what it writes and says is kept."""

    def __init__(self, service: Service, image: Image, host: Host, folder: Path, environment: Path) -> None:
        self.name = host.name
        self.host = host
        self.log = folder / f"{host.name}.log"
        self._service = service
        self._image = image
        self._folder = folder
        self._environment = environment
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start its command."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.inside(*self._image.command(self._service)), stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def healthy(self) -> bool:
        """Whether its health check, as written, succeeds."""
        how, *words = self._service.health or self._image.health
        command = ["/bin/sh", "-c", *words] if how == "CMD-SHELL" else words
        return subprocess.run(self.inside(*command), capture_output=True, check=False, timeout=30).returncode == 0

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """What a command gives that is run in its place, as its user."""
        return subprocess.run(self.inside(*command), capture_output=True, check=False, text=True, timeout=60)

    def stop(self) -> int:
        """End it as an engine does, by SIGTERM; its exit status."""
        process = self.process
        assert process is not None
        os.kill(_child(process.pid), signal.SIGTERM)  # bwrap passes no signal on to the service, its child
        try:
            return process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def inside(self, *command: str) -> list[str]:
        """The command line that runs a command in this container's namespaces, files, environment and user."""
        user, _, group = (self._service.user or self._image.user).partition(":")
        words = ["ip", "netns", "exec", self.name, "bwrap", "--die-with-parent", "--unshare-pid", "--as-pid-1"]
        words += ["--unshare-ipc", "--unshare-uts", "--hostname", self.name, "--clearenv", "--tmpfs", "/"]
        for path in filter(lambda path: Path(path).exists(), _SYSTEM):
            words += ["--ro-bind", path, path]
        words += ["--tmpfs", "/usr/local"]  # an image's files may lie there
        for link in ("bin", "sbin", "lib", "lib64"):
            words += ["--symlink", f"usr/{link}", f"/{link}"]
        words += ["--proc", "/proc", "--dev", "/dev", "--ro-bind", sys.base_prefix, sys.base_prefix]
        words += ["--ro-bind", str(self._environment), "/opt/fleetmeter"]
        words += ["--ro-bind", str(self._resolver()), "/etc/resolv.conf"]
        for name, program in self._image.programs.items():
            words += ["--ro-bind", str(program), f"/image/bin/{name}"]
        for mount in self._service.mounts:
            source = mount.source if isinstance(mount.source, Path) else self._volume(mount.source, user, group)
            words += ["--bind" if mount.writable else "--ro-bind", str(source), mount.target]
        for path in self._service.tmpfs:
            words += ["--perms", "1777", "--tmpfs", path]
        for name, text in {"PATH": PATH, **self._image.environment, **self._service.environment}.items():
            words += ["--setenv", name, str(text)]
        words = _with_parents(words)
        words += ["--remount-ro", "/", "--chdir", self._home()]
        words += [word for right in ("SETUID", "SETGID", "SETPCAP") for word in ("--cap-add", f"CAP_{right}")]
        drop = ["setpriv", "--reuid", user, "--regid", group, "--clear-groups", "--bounding-set=-all", "--no-new-privs"]
        return [*words, "--", *drop, *command]

    def _home(self) -> str:
        return next((mount.target for mount in self._service.mounts if mount.writable), "/")

    def _volume(self, name: str, user: str, group: str) -> Path:
        path = self._folder / f"volume-{name}"
        if not path.exists():
            path.mkdir()
            subprocess.run(["chown", f"{user}:{group}", str(path)], check=True)
        return path

    def _resolver(self) -> Path:
        path = self._folder / "resolv.conf"
        path.write_text("nameserver 127.0.0.11\noptions ndots:0\n")
        return path


def _with_parents(words: list[str]) -> list[str]:
    """The same, with the folders above each bound file made first, for everybody: bwrap makes them for root alone."""
    made: set[Path] = set()
    result: list[str] = []
    for number, word in enumerate(words):
        if word in ("--bind", "--ro-bind"):
            for parent in [*Path(words[number + 2]).parents][-2::-1]:
                if parent not in made:
                    result += ["--dir", str(parent)]
                    made.add(parent)
        result.append(word)
    return result


def _child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
