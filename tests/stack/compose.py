"""deploy/compose.yaml as data: the part of the Compose format that the file uses, and a refusal of anything else."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy" / "compose.yaml"

_VARIABLE = re.compile(r"\$(?:\$|\{(\w+):-([^}]*)\})")
_KNOWN = {
    "image", "build", "user", "command", "environment", "volumes", "secrets", "networks", "tmpfs", "ports",
    "healthcheck", "deploy", "depends_on", "read_only", "restart", "cap_drop", "security_opt", "pids_limit",
    "mem_limit", "logging", "stop_grace_period",
}  # fmt: skip


@dataclass(frozen=True)
class Mount:
    """A file or folder of the machine (`source`), or a volume's name, and where the container sees it."""

    source: Path | str
    target: str
    writable: bool


@dataclass(frozen=True)
class Service:
    """One service; `published` has (address, port) of the machine and the container's port."""

    name: str
    image: str
    target: str | None
    user: str | None
    command: tuple[str, ...]
    environment: Mapping[str, str]
    mounts: tuple[Mount, ...]
    tmpfs: tuple[str, ...]
    networks: tuple[str, ...]
    published: tuple[tuple[str, int, int], ...]
    health: tuple[str, ...]
    replicas: int
    after: tuple[str, ...]


@dataclass(frozen=True)
class Stack:
    """Services by name, in an order in which each comes after those that it depends on, and the internal networks."""

    services: Mapping[str, Service]
    networks: tuple[str, ...]
    internal: frozenset[str]


def load(environ: Mapping[str, str], secrets: Path, file: Path = FILE) -> Stack:
    """The file as an engine would read it, with secrets from another folder."""
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    document = _interpolated(document, environ)
    files = {name: secrets / Path(entry["file"]).name for name, entry in document["secrets"].items()}
    services = {name: _service(name, entry, files, file.parent) for name, entry in document["services"].items()}
    ordered: dict[str, Service] = {}
    while len(ordered) < len(services):
        ready = [one for one in services.values() if one.name not in ordered and ordered.keys() >= set(one.after)]
        ordered.update((one.name, one) for one in ready)
    networks = document["networks"]
    return Stack(ordered, tuple(networks), frozenset(name for name in networks if networks[name].get("internal")))


def _service(name: str, entry: dict[str, Any], secrets: Mapping[str, Path], folder: Path) -> Service:
    assert entry.keys() <= _KNOWN, f"{name}: {entry.keys() - _KNOWN} is not known here; teach it to stack/compose.py"
    assert entry["read_only"], f"{name}: its root is not read-only"
    mounts = [_mount(text, folder) for text in entry.get("volumes", [])]
    mounts += [Mount(secrets[secret], f"/run/secrets/{secret}", writable=False) for secret in entry.get("secrets", [])]
    return Service(
        name=name,
        image=entry["image"],
        target=entry.get("build", {}).get("target"),
        user=entry.get("user"),
        command=tuple(entry.get("command", ())),
        environment=entry.get("environment", {}),
        mounts=tuple(mounts),
        tmpfs=tuple(entry.get("tmpfs", ())),
        networks=tuple(entry["networks"]),
        published=tuple(_published(text) for text in entry.get("ports", ())),
        health=tuple(entry.get("healthcheck", {}).get("test", ())),
        replicas=entry.get("deploy", {}).get("replicas", 1),
        after=tuple(entry.get("depends_on", ())),
    )


def _mount(text: str, folder: Path) -> Mount:
    source, target, *options = text.split(":")
    return Mount((folder / source).resolve() if source.startswith(".") else source, target, options != ["ro"])


def _published(text: str) -> tuple[str, int, int]:
    address, port, inner = text.split(":")
    return address, int(port), int(inner)


def _interpolated(value: Any, environ: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _interpolated(inner, environ) for key, inner in value.items()}
    if isinstance(value, list):
        return [_interpolated(inner, environ) for inner in value]
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: (environ.get(found[1]) or found[2]) if found[1] else "$", value)
    return value
