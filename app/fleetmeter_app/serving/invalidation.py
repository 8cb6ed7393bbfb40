"""`POST /cache/invalidate`: entries of the shared cache are removed, of all replicas at once."""

import json
from typing import Any

from fleetmeter_app.caching.scripts import Unanswered
from fleetmeter_app.errors import ApiError, InvalidRequestError
from fleetmeter_app.guarding.caller import ANONYMOUS
from fleetmeter_app.serving.exchange import Exchange
from fleetmeter_app.serving.pipeline import Pipeline
from fleetmeter_app.wire.request import JsonRequest

_MOST_BYTES = 4096


class Invalidation:
    """Takes `{"model": text, "tenant": text}`, both optional, and answers `{"removed": number}`.

    Whoever has a key removes entries of its own tenant only.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    async def handle(self, exchange: Exchange) -> None:
        """The route."""
        caller = await self._pipeline.admit(exchange.headers)
        fields = JsonRequest.parse(
            await exchange.body(_MOST_BYTES, self._pipeline.loaded.config.limits.body_seconds)
        ).fields
        unknown = fields.keys() - {"model", "tenant"}
        if unknown:
            raise InvalidRequestError(
                f"{sorted(unknown)[0][:64]!r} is unknown; expected 'model' and 'tenant', both optional.",
                code="invalid_body",
            )
        model, tenant = _text(fields, "model"), _text(fields, "tenant")
        if caller != ANONYMOUS:
            if tenant not in (None, caller.tenant):
                raise ApiError(
                    403, "invalid_request_error", "That is another tenant's.", code="forbidden", param="tenant"
                )
            tenant = caller.tenant
        try:
            removed = await self._pipeline.seams.cache.invalidate(model, tenant)
        except Unanswered as error:
            message = "The store did not answer; entries may be left. Ask again."
            raise ApiError(503, "server_error", message, code="store_away", retry_after=2.0) from error
        await exchange.answer(200, json.dumps({"removed": removed}).encode(), "application/json", {})


def _text(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidRequestError(f"'{name}' must be a text.", param=name, code="invalid_type")
    return value
