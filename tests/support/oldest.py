"""The oldest versions that pyproject.toml permits, as constraints for pip; as a program, it prints them.

    PYTHONPATH=tests python -m support.oldest

A package that pyproject.toml names for users is held to its lower bound. Everything else (what those packages need, the
tools of the tests) stays at the version of constraints.txt, so that a run tells of our bounds and of nothing else.
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
USERS = ("demo",)
"""Extras that include all others that users install; `dev`, `test` and `bench` are for people who work on the code."""
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[(?P<extras>[^]]*)\])?(?:>=(?P<oldest>[0-9.]+))?(?:\s*;.*)?")


def bounds(extras: tuple[str, ...] = USERS) -> dict[str, str]:
    """The lower bound of each package that the library and these extras name; raises `ValueError` for one without."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found: dict[str, str] = {}

    def read(requirements: list[str]) -> None:
        for requirement in requirements:
            parts = _REQUIREMENT.fullmatch(requirement)
            if parts is None:
                raise ValueError(f"pyproject.toml: {requirement!r} is no name with a lower bound, as in 'redis>=6.4'")
            if parts["name"] == project["name"]:
                for extra in parts["extras"].split(","):
                    read(project["optional-dependencies"][extra])
            elif parts["oldest"] is None:
                raise ValueError(f"pyproject.toml: {requirement!r} has no lower bound")
            else:
                found[_normal(parts["name"])] = parts["oldest"]

    read(project["dependencies"])
    for extra in extras:
        read(project["optional-dependencies"][extra])
    return found


def constraints() -> Iterator[str]:
    """A line for each package: ours at the lower bound, all others as constraints.txt has them."""
    oldest = bounds()
    yield from (f"{name}=={version}" for name, version in sorted(oldest.items()))
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if _normal(line.partition("==")[0]) not in oldest:
            yield line


def _normal(name: str) -> str:
    """A package's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in constraints())
