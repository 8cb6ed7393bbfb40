"""What stands in for each image: its entry point, its user, and programs of this machine under the image's names."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fleetmeter.embedded import _binary
from stack.compose import Service
from stack.dockerfile import stages

PATH = "/image/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MISSING = {"grafana": "no registry that is reached from here has a Grafana"}
"""Services that cannot be tried here, and why."""


@dataclass(frozen=True)
class Image:
    """`programs` are put into `/image/bin` by name; `prefix` is what the entry point puts before the command.

    A command that begins with the image's own program loses it where the entry point names it again.
    """

    prefix: tuple[str, ...]
    user: str
    programs: Mapping[str, Path]
    environment: Mapping[str, str]
    health: tuple[str, ...]

    def command(self, service: Service) -> list[str]:
        """What runs: the entry point and the service's command."""
        command = service.command
        if self.prefix and command[:1] == self.prefix[:1]:
            command = command[1:]
        return [*self.prefix, *command]


def found(*names: str) -> Path:
    """The first of these programs that is here; ends the check if none is, naming the package that has it."""
    for name in names:
        if (path := shutil.which(name)) is not None:
            return Path(path).resolve()
    raise SystemExit(f"stack-check: there is no program {names[0]!r}; install it (Debian: apt-get install {names[-1]})")


def image_of(service: Service) -> Image:
    """The stand-in for a service's image."""
    if service.target is not None:  # ours
        stage = stages()[service.target]
        environment = dict(stage.environment)
        environment["PATH"] = environment["PATH"].replace("$PATH", PATH)
        return Image(stage.entrypoint, str(stage.user), {}, environment, stage.health)
    repository = service.image.partition(":")[0]
    prefix, user, programs = {
        "valkey/valkey": ((), "999:999", {"valkey-server": _binary(), "valkey-cli": found("redis-cli", "redis-tools")}),
        # Its entry point is docker-entrypoint.sh, which adds -W and -db.
        "haproxy": (("haproxy", "-W", "-db"), "99:99", {"haproxy": found("haproxy")}),
        "prom/prometheus": (("prometheus",), "65534:65534", {"prometheus": found("prometheus")}),
        "prom/alertmanager": (
            ("alertmanager",),
            "65534:65534",
            {"alertmanager": found("alertmanager", "prometheus-alertmanager")},
        ),
    }[repository]
    return Image(prefix, user, programs, {"PATH": PATH}, ())
