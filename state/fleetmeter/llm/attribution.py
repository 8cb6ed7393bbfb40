"""Who a call is for: values that a context carries from where they are known to where a call is recorded."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

INTENT = "unspecified"
"""The intent of calls that nobody gave one."""

_NOTHING: Mapping[str, str] = MappingProxyType({})
_attributes: ContextVar[Mapping[str, str]] = ContextVar("fleetmeter_llm_attributes", default=_NOTHING)


@contextmanager
def attributes(**values: str) -> Iterator[None]:
    """Give what is recorded in the block these values: `intent`, and any label of `configure(labels=…)`.

    They follow the context: tasks, and threads that copy it, have the values of where they were started. A stream
    counts under those of where it was opened, wherever it is read. An inner block adds to the outer one.
    """
    token = _attributes.set(MappingProxyType({**_attributes.get(), **values}))
    try:
        yield
    finally:
        _attributes.reset(token)


def current_attributes() -> Mapping[str, str]:
    """The values in force here."""
    return _attributes.get()
