"""The attempts at one model: which deployment is asked, when the next one is, and what the breakers learn."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from fleetmeter_app.config.limits import UpstreamCalls
from fleetmeter_app.errors import ApiError
from fleetmeter_app.seams import BreakersSeam
from fleetmeter_app.transport.failures import UpstreamFailure
from fleetmeter_app.transport.places import Place, least_loaded

T = TypeVar("T")

_FIRST_DELAY = 0.1
"""Seconds before the second attempt at the same place; the next ones wait twice as long each."""
_LONGEST_DELAY = 2.0


class CircuitOpenError(ApiError):
    """No place of a model may be called now; `retry_after` is when the first of them may."""

    def __init__(self, model: str, retry_after: float) -> None:
        super().__init__(
            503,
            "upstream_error",
            f"{model} has failed too often, and is not asked for now.",
            code="circuit_open",
            retry_after=retry_after,
        )
        self.model = model


class Attempts(Generic[T]):
    """One call of a model: up to `max_retries` further attempts after the first, at other places while there are any.

    `retries` is the number of attempts after the first so far, `place` where the last one was made. `failure` is what
    it failed with, as long as the next one is waited for: until then no request is on its way. A place counts the
    request as outstanding from `run` until `release`, so that a stream is in flight until its end.
    """

    def __init__(self, model: str, places: Sequence[Place], breakers: BreakersSeam, config: UpstreamCalls) -> None:
        self._model = model
        self._places = places
        self._breakers = breakers
        self._config = config
        self._held: Place | None = None
        self.place = places[0]
        self.retries = 0
        self.failure: UpstreamFailure | None = None

    async def run(self, attempt: Callable[[Place, int], Awaitable[T]]) -> T:
        """What `attempt(place, number)` returns, the first time that it does not fail.

        Raises the last `UpstreamFailure`, and `CircuitOpenError` if no place may be called.
        """
        tried: list[Place] = []
        number = 0
        last: UpstreamFailure | None = None
        while True:
            try:
                place = self._choose(tried)
            except CircuitOpenError:
                if last is None:
                    raise
                raise last from None  # its own failure has opened the circuit
            self.place = place
            self.retries = number
            self._hold(place)
            try:
                found = await attempt(place, number)
            except UpstreamFailure as failure:
                self.release()
                self.report(failure)
                failure.retries = number
                tried.append(place)
                delay = self._delay(failure, number, tried)
                if delay is None:
                    raise
                last = self.failure = failure
            except BaseException:
                self._breakers.abandon(place.name)
                self.release()
                raise
            else:
                return found
            await asyncio.sleep(delay)
            self.failure = None
            number += 1

    def report(self, failure: UpstreamFailure | None) -> None:
        """Tell the breaker how the call of the last place ended."""
        failed = failure is not None and failure.is_the_deployments
        retry_after = failure.retry_after if failure is not None and failed else None
        self._breakers.report(self.place.name, failed=failed, retry_after=retry_after)

    def release(self) -> None:
        """The last place has one request less in flight."""
        if self._held is not None:
            self._held.outstanding -= 1
            self._held = None

    def _hold(self, place: Place) -> None:
        self._breakers.begins(place.name)
        place.outstanding += 1
        place.given += 1
        self._held = place

    def _choose(self, tried: Sequence[Place]) -> Place:
        waits = [self._breakers.refuses(place.name) for place in self._places]
        free = [place for place, wait in zip(self._places, waits, strict=True) if wait is None]
        found = least_loaded(free, tried) or least_loaded(free)
        if found is None:
            raise CircuitOpenError(self._model, min(wait for wait in waits if wait is not None))
        return found

    def _delay(self, failure: UpstreamFailure, number: int, tried: Sequence[Place]) -> float | None:
        """Seconds until the next attempt, None for no further one."""
        if number >= self._config.max_retries:
            return None
        if failure.is_the_deployments and any(place not in tried for place in self._places):
            return 0.0
        if not failure.retryable:
            return None
        if failure.retry_after is not None:
            return failure.retry_after if failure.retry_after <= self._config.max_retry_after_seconds else None
        jitter: float = random.uniform(0.75, 1.0)  # noqa: S311 - no secret hangs on it
        return min(_FIRST_DELAY * 2.0**number, _LONGEST_DELAY) * jitter
