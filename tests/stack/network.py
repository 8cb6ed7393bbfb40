"""Networks and hosts as an engine makes them, from bridges and network namespaces of the kernel."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stack.compose import Stack


def run(*command: str) -> str:
    """What a command prints; raises `CalledProcessError` with its complaint on standard error."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


@dataclass
class Host:
    """One container's place: its name, the service whose name it answers to, and its address in each network."""

    name: str
    service: str
    addresses: dict[str, str] = field(default_factory=dict)


class Networks:
    """One bridge for each network of the stack. This process is the machine: it has the first address of each."""

    def __init__(self, stack: Stack) -> None:
        self._internal = stack.internal
        self._numbers = {name: number for number, name in enumerate(stack.networks, 1)}
        self.hosts: list[Host] = []
        Path("/run/netns").mkdir(exist_ok=True)
        run("mount", "-t", "tmpfs", "tmpfs", "/run/netns")  # in a mount namespace of our own: the names end with it
        run("ip", "link", "set", "lo", "up")
        Path("/proc/sys/net/ipv4/ip_forward").write_text("0")  # the machine carries nothing between its networks
        for name, number in self._numbers.items():
            run("ip", "link", "add", f"br{number}", "type", "bridge")
            run("ip", "address", "add", f"{self.machine(name)}/24", "dev", f"br{number}")
            run("ip", "link", "set", f"br{number}", "up")

    def machine(self, network: str) -> str:
        """The machine's own address in a network."""
        return f"10.77.{self._numbers[network]}.1"

    def join(self, name: str, service: str, networks: Sequence[str]) -> Host:
        """A host in these networks; only one that is in a network which is not internal has a way out."""
        host = Host(name, service)
        last = len(self.hosts) + 2
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "set", "lo", "up")
        for network in networks:
            number = self._numbers[network]
            outer, inner = f"v{last}n{number}", f"eth{number}"
            host.addresses[network] = f"10.77.{number}.{last}"
            run("ip", "link", "add", outer, "type", "veth", "peer", "name", inner, "netns", name)
            run("ip", "link", "set", outer, "master", f"br{number}", "up")
            run("ip", "-n", name, "address", "add", f"{host.addresses[network]}/24", "dev", inner)
            run("ip", "-n", name, "link", "set", inner, "up")
        if ways := [network for network in networks if network not in self._internal]:
            run("ip", "-n", name, "route", "add", "default", "via", self.machine(ways[0]))
        self.hosts.append(host)
        return host

    def names_for(self, host: Host) -> dict[str, list[str]]:
        """The names that a host can ask for: those of the services that share a network with it."""
        names: dict[str, list[str]] = {}
        for other in self.hosts:
            shared = [other.addresses[network] for network in host.addresses if network in other.addresses]
            names.setdefault(other.service, []).extend(shared[:1])
        return {name: addresses for name, addresses in names.items() if addresses}

    def serve_names(self, host: Host) -> "subprocess.Popen[bytes]":
        """The name server of a host, at the address at which containers have it."""
        table = json.dumps(self.names_for(host))
        command = ["ip", "netns", "exec", host.name, sys.executable, str(Path(__file__).with_name("names.py")), table]
        return subprocess.Popen(command)
