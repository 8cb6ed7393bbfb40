"""Tools of a user's, good ones and bad ones, which tests name in a configuration as `support.own_tools:add`."""

import asyncio
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from fleetmeter_app.errors import ToolError

MEETING = threading.Barrier(3)
"""Passed only by three threads at once."""
RELEASE = threading.Event()
"""What `hang` waits for."""


class Place(BaseModel):
    """Where something is."""

    city: str
    floor: int = 0


@dataclass(frozen=True)
class Sum:
    """A result."""

    total: int
    day: date


def add(first: int, second: Annotated[int, Field(ge=0)] = 1, how: Literal["plain", "twice"] = "plain") -> Sum:
    """Adds two numbers.

    Twice, if it is asked to.
    """
    return Sum((first + second) * (2 if how == "twice" else 1), date(2026, 1, 2))


async def visit(place: Place) -> str:
    """Visits a place."""
    await asyncio.sleep(0)
    return f"{place.city}, {place.floor}"


def meet(name: str) -> str:
    """Returns once three of it run."""
    MEETING.wait(60)
    return name


def hang() -> None:
    """Never returns by itself."""
    RELEASE.wait()


async def stay() -> None:
    """Never returns, and does not let itself be cancelled."""
    while not RELEASE.is_set():
        try:
            await asyncio.sleep(0.02)
        except asyncio.CancelledError:
            continue


def fail() -> None:
    """Raises with a secret in its text."""
    raise RuntimeError("password=hunter2")


def explain() -> None:
    """Raises what the model is to be told."""
    raise ToolError("the market is closed")


def leave() -> None:
    """Wants to end the process."""
    sys.exit(3)


async def leave_loop() -> None:
    """Wants to end the process, from a coroutine."""
    sys.exit(3)


async def cancel_itself() -> None:
    """Ends as if it were cancelled."""
    raise asyncio.CancelledError


def stop() -> None:
    """Raises what threads and coroutines cannot hand on."""
    raise StopIteration


def give_set() -> set[int]:
    """What JSON cannot hold."""
    return {1}


def give_nan() -> float:
    """What JSON cannot hold."""
    return float("nan")


def give_endless() -> Iterator[int]:
    """What never ends."""
    while True:
        yield 1


def give_circle() -> list[Any]:
    """What holds itself."""
    circle: list[Any] = []
    circle.append(circle)
    return circle


def give_deep() -> list[Any]:
    """What is nested too deeply."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    return deep


def give_much() -> list[int]:
    """More than is taken."""
    return list(range(1_000_000))


def give_half() -> str:
    """Half a surrogate pair."""
    return "\ud800"


def positional(first: int, /) -> int:
    """Cannot be called by name."""
    return first


def untyped(what: threading.Thread) -> None:
    """Takes what no schema describes."""


def wait(seconds: float) -> float:
    """Sleeps."""
    time.sleep(seconds)
    return seconds
