"""The scripts that the gateway runs in the store."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from importlib import resources


@dataclass(frozen=True)
class Script:
    """A Lua script of this package by its name; it is read when it is needed first."""

    name: str

    @cached_property
    def text(self) -> str:
        """What the store runs."""
        return (resources.files("fleetmeter_app") / "lua" / f"{self.name}.lua").read_text(encoding="utf-8")

    @cached_property
    def digest(self) -> str:
        """What the store knows it by, once it was loaded."""
        return hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()
