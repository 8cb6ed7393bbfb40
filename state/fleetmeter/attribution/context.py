"""The values in force: a context carries them from where they are known to where something is recorded."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any

INTENT = "unspecified"
"""The intent of calls that nobody gave one."""


class Attributes(dict[str, object]):
    """Values by name, which never change, and the label values that they have become."""

    __slots__ = ("key", "read_by", "texts")

    def __init__(self, *given: Any, **values: object) -> None:
        super().__init__(*given, **values)
        self.read_by: object = None
        """The labels that `texts` were made for; None before they were."""
        self.texts: tuple[str, ...] = ()
        self.key: tuple[str, ...] = ()
        """Intent and label values, which tell apart the series that records have under these values."""

    @property
    def intent(self) -> str:
        """What a call is about."""
        found = self.get("intent")
        return found if isinstance(found, str) else INTENT


_attributes: ContextVar[Attributes] = ContextVar("fleetmeter_attributes", default=Attributes())  # noqa: B039  never changed


@contextmanager
def attributes(**values: object) -> Iterator[None]:
    """Give what is recorded in the block these values: `intent`, and any label of `configure(labels=…)`.

    They follow the context: tasks, and threads that copy it, have the values of where they were started. A stream
    counts under those of where it was opened, wherever it is read. An inner block adds to the outer one; None takes
    the outer one's value away.

    Values are texts; whole numbers are written as such. What is no text of 1 to 128 characters counts as `other`, as
    does a further value if the label has as many as it may have. A name that is no label is logged once and left out.
    """
    token = _attributes.set(Attributes({**_attributes.get(), **values}))
    try:
        yield
    finally:
        _take_back(token)


@contextmanager
def in_force(found: Attributes) -> Iterator[None]:
    """Give what is recorded in the block the values that were in force elsewhere."""
    token = _attributes.set(found)
    try:
        yield
    finally:
        _take_back(token)


current_attributes: Callable[[], Attributes] = _attributes.get
"""The values in force here."""


def _take_back(token: Token[Attributes]) -> None:
    """End a block. One that ends in another context than it began in has set nothing there."""
    try:
        _attributes.reset(token)
    except ValueError:  # a generator that a thread began and another one ends, as FastAPI runs sync dependencies
        return
