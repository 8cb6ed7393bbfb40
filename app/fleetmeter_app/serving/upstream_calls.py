"""One call of a model: the request that is sent, its attempts, and its record."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

from fleetmeter.pricing import Usage, read_answer
from fleetmeter_app.accounting.calls import Charge, Origin, Running
from fleetmeter_app.accounting.estimates import estimated
from fleetmeter_app.routing.router import Step
from fleetmeter_app.seams import BreakersSeam
from fleetmeter_app.serving.call import Call
from fleetmeter_app.serving.open_stream import OpenStream
from fleetmeter_app.transport.attempts import Attempts, CircuitOpenError
from fleetmeter_app.transport.client import Reply, UpstreamClient
from fleetmeter_app.transport.failures import (
    UpstreamFailure,
    failure_inside,
    failure_of_status,
    failure_unreadable,
)
from fleetmeter_app.transport.places import Place
from fleetmeter_app.transport.remarks import remark
from fleetmeter_app.wire.answers import error_of, is_answer, read_document

log = logging.getLogger("fleetmeter.app")

_MOST_ERROR_BYTES = 2**16
_ERROR_SECONDS = 5.0
"""For the body of an error: what it means is in its status already."""
_RETRY_COUNT = "x-stainless-retry-count"
"""What tells a server which attempt a request is; the client's own count is between it and us."""


class ModelCall:
    """A call of one step's model. `whole` and `opened` raise `UpstreamFailure` once it is recorded.

    `other_places` are for a call that is made beside another one: it has one attempt, at one of them. `began` says that
    the head of an answer is there, `beaten_by` is the other one if its answer was taken, so that this one is ended.
    `charge` is what the call has cost, once that is recorded.
    """

    def __init__(
        self,
        client: UpstreamClient,
        breakers: BreakersSeam,
        call: Call,
        step: Step,
        other_places: Sequence[Place] = (),
    ) -> None:
        self._client = client
        self._call = call
        self._config = call.loaded.config.upstream
        self._accounts = call.loaded.accounts
        self.step = step
        attempts = replace(self._config, max_retries=0) if other_places else self._config
        places = other_places or call.loaded.places_of(step)
        self.attempts: Attempts[Any] = Attempts(step.model, places, breakers, attempts)
        self.began = False
        self.beaten_by: ModelCall | None = None
        self.charge: Charge | None = None
        self.running = Running(call.endpoint, call.intent, step.model, call.stream, Origin(), perf_counter())

    async def whole(self) -> tuple[bytes, Charge]:
        """The body, which is JSON, and what it cost."""
        try:
            body, document = await self.attempts.run(self._whole)
        except BaseException as error:
            self._ended(error)
            raise
        self._settle_in()
        self.attempts.report(None)
        self.attempts.release()
        charge = self._accounts.answered(self.running, read_answer(document, endpoint=self._call.endpoint))
        self._charge(charge)
        return body, charge

    async def _whole(self, place: Place, number: int) -> tuple[bytes, Any]:
        reply = await self._post(place, number)
        body = await reply.read(self._config.max_answer_bytes)
        document = read_document(body)
        if not is_answer(self._call.endpoint, document):
            raise self._not_an_answer(document, body)
        return body, document

    def _not_an_answer(self, document: Any, body: bytes) -> UpstreamFailure:
        stated = read_answer(document, endpoint=self._call.endpoint)
        error = error_of(document)
        if error is not None:
            return failure_inside(error, stated)
        return failure_unreadable(f"{len(body)} bytes that are no {self._call.endpoint}", stated)

    async def opened(self) -> OpenStream:
        """The stream, once its first event is there."""
        try:
            stream: OpenStream = await self.attempts.run(self._open)
        except BaseException as error:
            self._ended(error)
            raise
        self._settle_in()
        return stream

    async def _open(self, place: Place, number: int) -> OpenStream:
        reply = await self._post(place, number)
        try:
            if not reply.is_event_stream:
                body = await reply.read(self._config.max_answer_bytes)
                raise self._not_an_answer(read_document(body), body)
            stream = OpenStream(self._call, reply)
            await stream.begin()
        except BaseException:
            reply.close()
            raise
        return stream

    async def _post(self, place: Place, number: int) -> Reply:
        self.running.retries = number
        self.began = False
        headers = {_RETRY_COUNT: str(number), "x-request-id": self._call.request_id}
        if self._call.traceparent is not None:
            headers["traceparent"] = self._call.traceparent
        if self._call.stream:
            headers["accept"] = "text/event-stream"
        reply = await self._client.post(place.deployment, self._call.endpoint, self._body(place), headers)
        if reply.status == 200:
            self.began = True
            return reply
        body = await reply.beginning(_MOST_ERROR_BYTES, _ERROR_SECONDS)
        failure = failure_of_status(reply.status, reply.headers, error_of(read_document(body)))
        log.debug("request %s: %s answered: %s", self._call.request_id, place.name, remark(failure))
        raise failure

    def _body(self, place: Place) -> bytes:
        request = self._call.request
        changes: dict[str, Any] = {}
        if request.fields.get("model") != place.model:
            changes["model"] = place.model
        if self._call.endpoint == "chat.completions":
            if not self._call.stream:
                if "stream_options" in request.fields:
                    changes["stream_options"] = None
            elif not self._call.asks_usage:
                options = request.fields.get("stream_options")
                changes["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
        return request.with_fields(changes) if changes else request.body

    def _settle_in(self) -> None:
        self.running.retries = self.attempts.retries
        self.running.origin = self._call.loaded.origin_of(self.attempts.place)

    def _ended(self, error: BaseException) -> None:
        """Record a call that ended without an answer; one that no place would take was none.

        One that was ended while it waited for its next attempt has failed as the last one did, and costs nothing more.
        """
        self._settle_in()
        error = self.attempts.failure or error
        if isinstance(error, UpstreamFailure):
            self._log(error, "did not answer")
            self._charge(self._accounts.failed(self.running, error))
        elif self.beaten_by is not None:
            self._charge(self._accounts.beaten(self.running, self._as_much_as(self.beaten_by)))
        elif not isinstance(error, CircuitOpenError):
            self._charge(self._accounts.given_up(self.running))

    def _log(self, failure: UpstreamFailure, what: str) -> None:
        log.info("request %s: %s %s: %s", self._call.request_id, self.attempts.place.name, what, remark(failure))

    def _as_much_as(self, other: "ModelCall") -> Usage:
        """The tokens of a call that was not heard to its end: as many as the other call's; of a stream the prompt's."""
        usage = None if other.charge is None else other.charge.usage
        return usage or estimated(self._call.body_bytes, 0)

    def _charge(self, charge: Charge) -> None:
        self.charge = charge
        self._call.charge(charge)

    def leave(self, stream: OpenStream) -> None:
        """End a stream of which nobody has read anything."""
        stream.close()
        self.finished(stream, None, left=True)

    def finished(self, stream: OpenStream, failure: UpstreamFailure | None, *, left: bool) -> Charge:
        """Record a stream that has ended: to its end, by a failure, or because the client left."""
        if failure is not None:
            self._log(failure, "broke off its stream")
        self.attempts.report(failure)
        self.attempts.release()
        stated = stream.reader.answer()
        self.running.first_token = stream.first_token
        estimate = None
        if stated.usage is None and (left or failure is not None or not stream.reader.finished):
            estimate = estimated(self._call.body_bytes, stream.reader.characters)
        charge = self._accounts.answered(
            self.running,
            stated,
            aborted=(left or not stream.reader.finished) and failure is None,
            error=None if failure is None else failure.error_type,
            estimate=estimate,
        )
        self._charge(charge)
        return charge
