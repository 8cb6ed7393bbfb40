"""The calls of models that one question needs, each on the way of every request, and what they cost together."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from fleetmeter.pricing import Usage
from fleetmeter_app.caching.entry import Facts
from fleetmeter_app.guarding.caller import Caller
from fleetmeter_app.routing.router import Selection
from fleetmeter_app.serving.call import Call
from fleetmeter_app.serving.loaded import Loaded
from fleetmeter_app.serving.pipeline import Pipeline
from fleetmeter_app.serving.reading import read_all
from fleetmeter_app.wire.answers import read_document
from fleetmeter_app.wire.request import JsonRequest


@dataclass
class Asking:
    """Who asks, and what was chosen for the question. What follows is known once `complete` has returned.

    `cached` says that all answers came from the cache, `looked_up` that it was asked for one at least. `usage` and
    `nanodollars` are what the others used and cost: None if there were none, or if it is not known of one. `facts` are
    those of the last answer.
    """

    pipeline: Pipeline
    loaded: Loaded
    selection: Selection
    caller: Caller
    headers: Mapping[str, str]
    request_id: str
    traceparent: str | None
    cached: bool = True
    looked_up: bool = False
    usage: Usage | None = None
    nanodollars: int | None = None
    fallbacks: list[str] = field(default_factory=list)
    facts: Facts = field(init=False)

    async def complete(self, body: Mapping[str, Any]) -> Any:
        """The chat completion for these fields of a request, as a document; raises what the pipeline raises."""
        request = JsonRequest.of(body)
        call = Call(
            loaded=self.loaded,
            endpoint="chat.completions",
            request=request,
            stream=False,
            caller=self.caller,
            selection=self.selection,
            headers=self.headers,
            request_id=self.request_id,
            traceparent=self.traceparent,
            body_bytes=len(request.body),
            cache_as="ask",
        )
        reply = await self.pipeline.answer(call, self.pipeline.question(call), self.pipeline.whole)
        document = read_document(await read_all(reply))
        first = self.selection.first
        self.facts = reply.facts() or Facts(reply.status, reply.content_type, first.model, first.tier)
        self.looked_up |= reply.result != "off"
        if reply.result != "hit":
            self._charge(call)
        return document

    def _charge(self, call: Call) -> None:
        charged = call.charged
        usage = None if charged is None else charged.usage
        nanodollars = None if charged is None else charged.nanodollars
        if self.cached:
            self.usage, self.nanodollars = usage, nanodollars
        else:
            self.usage = None if usage is None or self.usage is None else _sum(self.usage, usage)
            known = nanodollars is not None and self.nanodollars is not None
            self.nanodollars = (self.nanodollars or 0) + (nanodollars or 0) if known else None
        self.cached = False
        self.fallbacks += call.fallbacks


def _sum(one: Usage, other: Usage) -> Usage:
    """The tokens of two calls together."""
    counts = {each.name: getattr(one, each.name) + getattr(other, each.name) for each in fields(Usage) if each.compare}
    return Usage(**counts)
