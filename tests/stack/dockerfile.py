"""What a stage of deploy/Dockerfile tells the engine: environment, user, entry point and health check."""

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

FILE = Path(__file__).parents[2] / "deploy" / "Dockerfile"


@dataclass(frozen=True)
class Stage:
    """One stage, with what it takes over from the one that it is built on."""

    base: str
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    entrypoint: tuple[str, ...] = ()
    health: tuple[str, ...] = ()


def stages(file: Path = FILE) -> dict[str, Stage]:
    """All named stages; variables of `ARG` stay as they are written."""
    found: dict[str, Stage] = {}
    name = ""
    for word, rest in _instructions(file.read_text(encoding="utf-8")):
        if word == "FROM":
            base, _, name = rest.split()
            found[name] = replace(found[base], base=base) if base in found else Stage(base)
        else:
            found[name] = _changed(found[name], word, rest)
    return found


def _instructions(text: str) -> list[tuple[str, str]]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in joined.splitlines() if line]


def _changed(stage: Stage, word: str, rest: str) -> Stage:
    if word == "ENV":
        return replace(stage, environment={**stage.environment, **_pairs(rest)})
    if word == "LABEL":
        return replace(stage, labels={**stage.labels, **_pairs(rest)})
    if word == "USER":
        return replace(stage, user=rest)
    if word == "ENTRYPOINT":
        return replace(stage, entrypoint=tuple(json.loads(rest)))
    if word == "HEALTHCHECK":
        return replace(stage, health=("CMD", *json.loads(rest.partition(" CMD ")[2])))
    return stage


def _pairs(text: str) -> dict[str, str]:
    return {word.partition("=")[0]: word.partition("=")[2] for word in shlex.split(text)}
