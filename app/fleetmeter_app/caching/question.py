"""Which requests are the same question, and which may be answered from the cache."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from fleetmeter_app.caching.vault import Vault
from fleetmeter_app.guarding.caller import Caller

_ABOUT_THE_CALLER = frozenset({"user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"})
"""Fields of a request that say who asks, or how the provider keeps the prompt: they change no answer."""

_STATEFUL = ("background", "previous_response_id", "conversation")
"""Fields that make an answer depend on what the provider keeps, or the provider keep it."""


@dataclass(frozen=True)
class Asked:
    """A request as far as a cache has to know it.

    `stream` says that the answer is one; `fields` are the request's own; `model` is what the router chose first.
    """

    endpoint: str
    caller: Caller
    model: str
    fields: Mapping[str, Any]
    stream: bool
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Question:
    """A request that may share its answer: `field` names it in the store.

    `looked_up` is False for one that wants a new answer, which is then kept for the others.
    """

    field: str
    looked_up: bool = True


def field_of(vault: Vault, endpoint: str, tenant: str, model: str, body: Mapping[str, Any]) -> str:
    """The name of a question: `<digest> <model> <tenant>`, equal for equal requests of one tenant and nothing else.

    `model` is the model that the router chose first. What the digest covers: endpoint, tenant, model and each field of
    the body but those that say who asks. Model and tenant stand in the name so that their entries can be invalidated.
    """
    asked = {name: value for name, value in body.items() if name not in _ABOUT_THE_CALLER}
    content = json.dumps([endpoint, tenant, model, asked], sort_keys=True, separators=(",", ":"))
    return f"{vault.digest(content.encode())} {quote(model, safe='')} {quote(tenant, safe='')}"


def may_share(body: Mapping[str, Any], *, sampled: bool) -> bool:
    """Whether the answer to this body may be shared.

    Not if it depends on what the provider keeps, and not if it is to be stored there (`store: true`). A stated
    `temperature` above 0 asks for variety: its answer is shared only if `sampled`. One without a temperature is shared,
    as reasoning models take none.
    """
    if any(body.get(name) for name in _STATEFUL) or body.get("store") is True:
        return False
    temperature = body.get("temperature")
    return sampled or not isinstance(temperature, int | float) or temperature <= 0


@dataclass(frozen=True)
class Wish:
    """What the header `Cache-Control` of a request asks for."""

    looked_up: bool = True
    kept: bool = True

    @classmethod
    def from_header(cls, text: str | None) -> "Wish":
        """`no-cache`: a new answer, which is kept for the others. `no-store`: neither looked up nor kept."""
        if not text:
            return _AS_USUAL
        directives = {part.strip().partition("=")[0].lower() for part in text.split(",")}
        kept = "no-store" not in directives
        return cls(looked_up=kept and "no-cache" not in directives, kept=kept)


_AS_USUAL = Wish()
