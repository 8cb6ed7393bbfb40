"""Functions whose arguments are named: called with a bare one, they say which name is meant."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_NAMED = inspect.Parameter.KEYWORD_ONLY


def names_its_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """The function itself, with the same signature.

    Python's own `TypeError` tells only how many positional arguments there may be. This one names the keywords, in the
    order in which they were left out, and none of the values: `install("redis://…")` may hold a password.
    """
    parameters = inspect.signature(function).parameters.values()
    named = [parameter.name for parameter in parameters if parameter.kind is _NAMED]
    bare = len(parameters) - len(named)
    called = function.__qualname__.removesuffix(".__init__")
    first = bare - function.__qualname__.endswith(".__init__")  # of those, how many a caller writes

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
