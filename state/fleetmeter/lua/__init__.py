"""The scripts that run inside the store: one file per operation, and the parts that they share."""

import re
from functools import cache
from importlib.resources import files

_INCLUDE = re.compile(r"^--@include (\w+)\n", re.MULTILINE)
"""A line of a script in the place of another file, which is a part of it."""


@cache
def lua_source(name: str) -> str:
    """The text of one of the package's scripts, with all its parts."""
    text = (files("fleetmeter") / "lua" / f"{name}.lua").read_text(encoding="utf-8")
    return _INCLUDE.sub(lambda part: lua_source(part[1]), text)
