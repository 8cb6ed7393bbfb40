"""The four methods of the SDK's clients that calls are seen at, for as long as anybody counts them.

`request` is where a call begins and where it returns or raises; `_build_request` is called for each attempt;
`_process_response` gets the answer; `_process_response_data` gets whatever is parsed of it. They are those of the
classes, so that clients made earlier, copies and subclasses are seen alike (tried with openai 2.20 to 3.57).
"""

import functools
import weakref
from contextvars import ContextVar
from threading import Lock
from typing import Any

from openai import _base_client as base

from fleetmeter.errors import InstallError
from fleetmeter.instrumentation.openai import counted
from fleetmeter.instrumentation.openai.call import Call
from fleetmeter.instrumentation.openai.captured import UsageFilter
from fleetmeter.instrumentation.openai.mishaps import complain, quietly
from fleetmeter.instrumentation.openai.options import Options
from fleetmeter.instrumentation.openai.resources import stream_options
from fleetmeter.instrumentation.openai.watched import watch

_SEE = "_fleetmeter_see"
"""Under which name a response holds the function that sees what is parsed of it."""

_lock = Lock()
_patched: dict[tuple[type, str], tuple[Any, Any]] = {}
"""What is in the place of which method: the SDK's, and ours."""
_current: ContextVar[Call | None] = ContextVar("fleetmeter_openai_call", default=None)


def add(client: Any, options: Options) -> None:
    """Count a client, or everybody."""
    with _lock:
        counted.add(client, options)
        _patch()


def remove(client: Any) -> None:
    """Count a client no longer, or nobody; the classes are as they were once nobody is counted."""
    with _lock:
        counted.remove(client)
        if not counted.is_anybody():
            _restore()


def _patch() -> None:
    missing = [f"{owner.__name__}.{name}" for owner, name in _MAKERS if name not in vars(owner)]
    if missing:
        raise InstallError(f"this version of openai has no {', '.join(missing)}; install openai>=2.20")
    for (owner, name), make in _MAKERS.items():
        if (owner, name) not in _patched:
            stock = vars(owner)[name]
            _patched[owner, name] = stock, make(stock)
            setattr(owner, name, _patched[owner, name][1])


def _restore() -> None:
    for (owner, name), (stock, ours) in list(_patched.items()):
        if vars(owner)[name] is ours:  # if not, somebody stands on it: it stays, and passes calls on
            setattr(owner, name, stock)
            del _patched[owner, name]


def _begin(client: Any, request: Any, named: dict[str, Any]) -> tuple[Call | None, Any]:
    """The call that begins, None if it is not counted; and the request to send. Nothing is raised."""
    try:
        options = counted.options_for(client)
        if options is not None:
            stream = bool(named.get("stream"))
            call = Call(options, client, request, stream=stream)
            if stream and options.ask_for_usage:
                return call, _asking_for_usage(call, request)
            return call, request
    except Exception as error:  # noqa: BLE001  the call is the caller's
        complain("begin", error)
    return None, request


def _asking_for_usage(call: Call, request: Any) -> Any:
    """The request to send in the place of a stream's: another one if its caller left it open whether usage is told."""
    body = request.json_data
    if (
        call.resource.endpoint == "chat.completions"
        and isinstance(body, dict)
        and "include_usage" not in (said := stream_options(request))
    ):
        request = request.model_copy() if hasattr(request, "model_copy") else request.copy()
        request.json_data = {**body, "stream_options": {**said, "include_usage": True}}
        if isinstance(request.extra_json, dict) and "stream_options" in request.extra_json:
            request.extra_json = {k: v for k, v in request.extra_json.items() if k != "stream_options"}
        # what is taken out of the bytes has to be readable there
        headers = request.headers if isinstance(request.headers, dict) else {}
        request.headers = {**headers, "Accept-Encoding": "identity"}
        call.asked_for_usage = True
        call.filter = UsageFilter()
    return request


def _request(stock: Any) -> Any:
    @functools.wraps(stock)
    def request(self: Any, cast_to: Any, options: Any, **named: Any) -> Any:
        call, options = _begin(self, options, named)
        if call is None:
            return stock(self, cast_to, options, **named)
        token = _current.set(call)
        try:
            result = stock(self, cast_to, options, **named)
        except BaseException as error:
            quietly(call.raised, error)
            raise
        finally:
            _current.reset(token)
        try:
            call.returned(result)
        except Exception as error:  # noqa: BLE001  the result is the caller's
            complain("returned", error)
        return result

    return request


def _arequest(stock: Any) -> Any:
    @functools.wraps(stock)
    async def request(self: Any, cast_to: Any, options: Any, **named: Any) -> Any:
        call, options = _begin(self, options, named)
        if call is None:
            return await stock(self, cast_to, options, **named)
        token = _current.set(call)
        try:
            result = await stock(self, cast_to, options, **named)
        except BaseException as error:
            quietly(call.raised, error)
            raise
        finally:
            _current.reset(token)
        try:
            call.returned(result)
        except Exception as error:  # noqa: BLE001  the result is the caller's
            complain("returned", error)
        return result

    return request


def _build_request(stock: Any) -> Any:
    @functools.wraps(stock)
    def build_request(self: Any, options: Any, **named: Any) -> Any:
        call = _current.get()
        if call is not None:
            try:
                call.attempt(named.get("retries_taken", 0))
            except Exception as error:  # noqa: BLE001  the call is the caller's
                complain("attempt", error)
        return stock(self, options, **named)

    return build_request


def _process_response(stock: Any) -> Any:
    @functools.wraps(stock)
    def process_response(self: Any, **named: Any) -> Any:
        call = _current.get()
        if call is not None:
            try:
                _got(call, named, is_async=False)
            except Exception as error:  # noqa: BLE001  the answer is the caller's
                complain("got", error)
        return stock(self, **named)

    return process_response


def _aprocess_response(stock: Any) -> Any:
    @functools.wraps(stock)
    async def process_response(self: Any, **named: Any) -> Any:
        call = _current.get()
        if call is not None:
            try:
                _got(call, named, is_async=True)
            except Exception as error:  # noqa: BLE001  the answer is the caller's
                complain("got", error)
        return await stock(self, **named)

    return process_response


def _got(call: Call, named: dict[str, Any], *, is_async: bool) -> None:
    """An answer came for the call of this context."""
    response = named["response"]
    call.got(named.get("retries_taken", 0))
    setattr(response, _SEE, call.progress.see if call.stream else call.see)
    if not response.is_closed:
        watch(response, call, is_async=is_async)
        call.watch(response)
        weakref.finalize(response, call.end)


def _process_response_data(stock: Any) -> Any:
    @functools.wraps(stock)
    def process_response_data(self: Any, *, data: Any, cast_to: Any, response: Any) -> Any:
        see = getattr(response, _SEE, None)
        if see is not None:
            try:
                see(data)
            except Exception as error:  # noqa: BLE001  the chunk is the caller's
                complain("see", error)
        return stock(self, data=data, cast_to=cast_to, response=response)

    return process_response_data


_MAKERS: dict[tuple[type, str], Any] = {
    (base.BaseClient, "_build_request"): _build_request,
    (base.BaseClient, "_process_response_data"): _process_response_data,
    (base.SyncAPIClient, "request"): _request,
    (base.AsyncAPIClient, "request"): _arequest,
    (base.SyncAPIClient, "_process_response"): _process_response,
    (base.AsyncAPIClient, "_process_response"): _aprocess_response,
}
