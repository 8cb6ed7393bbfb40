"""A better error for functions with keyword arguments: it says which keyword a bare argument lacks."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_NAMED = inspect.Parameter.KEYWORD_ONLY


def names_its_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """The function with the same signature, and a `TypeError` that helps.

    Python's own says only how many positional arguments are allowed. This one names the keywords that were left out, in
    their order: for `install("redis://…")` it says `install(url=…)`. It shows no value, as a URL may hold a password.
    """
    parameters = inspect.signature(function).parameters.values()
    named = [parameter.name for parameter in parameters if parameter.kind is _NAMED]
    bare = len(parameters) - len(named)
    called = function.__qualname__.removesuffix(".__init__")
    first = bare - function.__qualname__.endswith(".__init__")  # without `self`, which no caller writes

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if len(args) > bare:
            meant = ", ".join(f"{name}=…" for name in named[: len(args) - bare])
            before = "…, " if first else ""
            raise TypeError(
                f"{called}() takes {first or 'no'} positional argument{'' if first == 1 else 's'}, and got "
                f"{len(args) - bare + first}; name the others: {called}({before}{meant})"
            )
        return function(*args, **kwargs)

    return call
