"""A request's way: caller, rate, route, budget, cache, the models of the chain, settlement."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import TypeVar

from fleetmeter import atomic
from fleetmeter.llm import (
    record_model_fallback,
    record_model_routing_duration,
    record_model_selection,
)
from fleetmeter_app.accounting.bounds import most_nanodollars, most_tokens
from fleetmeter_app.caching.cache import Reply
from fleetmeter_app.caching.flight import Made
from fleetmeter_app.caching.question import Asked, Question
from fleetmeter_app.config.chains import AUTO
from fleetmeter_app.errors import ApiError, InvalidRequestError, ModelNotFoundError
from fleetmeter_app.guarding.budgets.scopes import Scopes
from fleetmeter_app.guarding.caller import Caller
from fleetmeter_app.routing.router import Selection, Step
from fleetmeter_app.seams import Seams
from fleetmeter_app.serving.call import Call
from fleetmeter_app.serving.chunks import EVENTS, JSON, OneChunk, StreamChunks
from fleetmeter_app.serving.hedge import Hedge
from fleetmeter_app.serving.loaded import Loaded
from fleetmeter_app.serving.upstream_calls import ModelCall
from fleetmeter_app.transport.attempts import CircuitOpenError
from fleetmeter_app.transport.client import UpstreamClient
from fleetmeter_app.transport.failures import UpstreamFailure
from fleetmeter_app.wire.questions import may_be_asked_twice

log = logging.getLogger("fleetmeter.app")

INTENT_HEADER = "x-fleetmeter-intent"

T = TypeVar("T")


class Pipeline:
    """Answers requests by whatever configuration is in force when they come."""

    def __init__(self, loaded: Loaded, client: Callable[[], UpstreamClient], seams: Seams) -> None:
        self.loaded = loaded
        self.seams = seams
        self._client = client

    async def admit(self, headers: Mapping[str, str]) -> Caller:
        """Who asks; raises `ApiError` for a caller that is not known, or asks too often."""
        caller = await self.seams.keys.caller(headers.get("authorization"))
        await self.seams.rates.take(caller)
        return caller

    def select(self, model: str, question: str, headers: Mapping[str, str], caller: Caller) -> Selection:
        """The models for a request, which is recorded. `question` is what the rules for intents are tried on.

        Raises `InvalidRequestError` for an intent, and `ModelNotFoundError` for a model, that there is not.
        """
        loaded = self.loaded
        started = perf_counter()
        intent = headers.get(INTENT_HEADER)
        if intent is None:
            intent = loaded.classify(question)
        elif intent not in loaded.config.intents:
            known = ", ".join(loaded.config.intents)
            raise InvalidRequestError(
                f"{intent[:64]!r} is no intent; the intents are: {known}.", param=INTENT_HEADER, code="unknown_intent"
            )
        selection = loaded.router.select(model, intent)
        seconds = perf_counter() - started
        if caller.models is not None:
            selection = _allowed(selection, model, caller)
        with atomic():
            record_model_selection(intent, selection.first.model, selection.first.tier)
            record_model_routing_duration(intent, seconds)
        return selection

    def may_ask(self, caller: Caller, name: str) -> bool:
        """Whether a caller may ask for a model that the router knows by this name; `auto` is everybody's."""
        if name == AUTO or caller.models is None:
            return True
        first = self.loaded.router.select(name, self.loaded.config.default_intent).first
        return caller.may_ask(first.model) or caller.may_ask(first.tier)

    async def answer(self, call: Call, question: Question | None, make: Callable[[Call], Awaitable[Made]]) -> Reply:
        """The answer from the cache, or what `make` gets from the models, within the budget.

        `question` is what `question` says of the call.
        """
        return await self.seams.cache.answer(question, call.intent, lambda: self._within_budget(call, make))

    def question(self, call: Call) -> Question | None:
        """What the cache knows a call as; None if its answer is not to be shared."""
        return self.seams.cache.question(self._asked(call))

    def _asked(self, call: Call) -> Asked:
        return Asked(
            call.cache_as or call.endpoint,
            call.caller,
            call.selection.first.model,
            call.request.fields,
            call.stream,
            call.headers,
        )

    async def _within_budget(self, call: Call, make: Callable[[Call], Awaitable[Made]]) -> Made:
        budgets = self.seams.budgets
        if not budgets.active and not call.caller.budgets:
            return await make(call)
        reservation = await budgets.reserve(_scopes(call), self._most(call))
        if reservation.downgrade_to is not None:
            record_model_fallback(call.intent, "over_budget")
            cheaper = self.loaded.router.downgraded(call.selection, reservation.downgrade_to)
            call.selection = _allowed(cheaper, AUTO, call.caller)
            reservation = await budgets.reserve(_scopes(call), self._most(call), downgraded=True)

        async def settle() -> None:
            await asyncio.shield(budgets.settle(reservation, call.spent))

        try:
            made = await make(call)
        except BaseException:
            await settle()
            raise
        if call.stream:
            call.ended = settle
        else:
            await settle()
        return made

    def _most(self, call: Call) -> int:
        """What the dearest model of the chain may cost, wherever it is served."""
        loaded = call.loaded
        steps = call.selection.steps
        rates = {
            (step.model, loaded.origin_of(place), 2 if _may_hedge(call, step) else 1)
            for step in steps
            for place in loaded.places_of(step)
        }
        most = most_tokens(call.request.fields, call.body_bytes, call.endpoint, loaded.config.guards.completion_tokens)
        return max(calls * most_nanodollars(loaded.prices, model, origin, most) for model, origin, calls in rates)

    async def whole(self, call: Call) -> Made:
        """An answer in one piece by the first model of the chain that gives one.

        Raises `UpstreamFailedError` or `CircuitOpenError` if none does.
        """

        async def ask(step: Step) -> Made:
            _, (body, charge) = await self._first_of(call, step, ModelCall.whole, lambda *_: None)
            call.answered(step, charge, JSON)
            return Made(200, JSON, OneChunk(body), lambda: call.facts)

        return await self.along(call, ask)

    async def stream(self, call: Call) -> Made:
        """The stream of the first model of the chain that begins one; raises as `whole`."""

        async def ask(step: Step) -> Made:
            model_call, stream = await self._first_of(call, step, ModelCall.opened, ModelCall.leave)
            return Made(200, EVENTS, StreamChunks(call, model_call, stream), lambda: call.facts)

        return await self.along(call, ask)

    async def _first_of(
        self, call: Call, step: Step, ask: Callable[[ModelCall], Awaitable[T]], drop: Callable[[ModelCall, T], object]
    ) -> tuple[ModelCall, T]:
        """A call of one model of the chain, and its answer: of two calls, if the step may be hedged and is slow."""
        client, breakers = self._client(), self.seams.breakers
        first = ModelCall(client, breakers, call, step)
        if not _may_hedge(call, step):
            return first, await ask(first)

        def second() -> ModelCall | None:
            asked = first.attempts.place
            places = [
                place
                for place in call.loaded.places_of(step)
                if place is not asked and breakers.refuses(place.name) is None
            ]
            return ModelCall(client, breakers, call, step, places) if places else None

        return await Hedge(first, second, ask, drop).run(step.hedge_after_seconds or 0.0)

    async def along(self, call: Call, ask: Callable[[Step], Awaitable[T]]) -> T:
        """What `ask` gets from the first step of the chain that answers; `call.fallbacks` has why others did not."""
        steps = iter(call.selection.steps)
        step = next(steps)
        while True:
            try:
                return await ask(step)
            except UpstreamFailure as failure:
                reason: str | None = failure.reason
                refusal: ApiError = failure.for_caller(step.model)
                cause: Exception = failure
            except CircuitOpenError as error:
                reason, refusal, cause = "circuit_open", error, error
            following = next(steps, None) if reason is not None else None
            if following is None or reason is None:
                raise refusal from cause
            record_model_fallback(call.intent, reason)
            call.fallbacks.append(reason)
            step = following


def _may_hedge(call: Call, step: Step) -> bool:
    return step.hedge_after_seconds is not None and may_be_asked_twice(call.endpoint, call.request.fields)


def _scopes(call: Call) -> Scopes:
    return Scopes(call.caller, call.caller.team, call.intent, call.selection.first.model)


def _allowed(selection: Selection, asked: str, caller: Caller) -> Selection:
    """The steps that a caller may use; `ModelNotFoundError` if there are none, or not the one that was asked for."""
    steps = tuple(step for step in selection.steps if caller.may_ask(step.model) or caller.may_ask(step.tier))
    if not steps or (asked != AUTO and steps[0] is not selection.first):
        raise ModelNotFoundError(asked)
    return Selection(selection.intent, steps)
