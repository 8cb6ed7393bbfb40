"""The four methods of the SDK's clients that calls are seen at, for as long as anybody counts them.

`request` is where a call begins and where it returns or raises; `_build_request` is called for each attempt;
`_process_response` gets the answer; `_process_response_data` gets whatever is parsed of it. They are those of the
classes, so that clients made earlier, copies and subclasses are seen alike (tried with openai 2.20 to 3.57).
"""

import functools
import os
import weakref
from contextvars import ContextVar
from threading import Lock
from typing import TYPE_CHECKING, Any

from openai import _base_client as base

from fleetmeter.errors import InstallError
from fleetmeter.instrumentation.openai.call import Call
from fleetmeter.instrumentation.openai.captured import UsageFilter
from fleetmeter.instrumentation.openai.estimates import Tokenizer, tokenizer_of
from fleetmeter.instrumentation.openai.mishaps import complain, quietly
from fleetmeter.instrumentation.openai.options import Options
from fleetmeter.instrumentation.openai.resources import stream_options
from fleetmeter.instrumentation.openai.watched import watch
from fleetmeter.llm import genai
from fleetmeter.pricing import PriceList

if TYPE_CHECKING:
    from pathlib import Path

_SEE = "_fleetmeter_see"
"""Under which name a response holds the function that sees what is parsed of it."""

_lock = Lock()
_everybody: Options | None = None
_single: "weakref.WeakKeyDictionary[Any, Options]" = weakref.WeakKeyDictionary()
"""By a client's connections, which its copies share."""
_patched: dict[tuple[type, str], tuple[Any, Any]] = {}
"""What is in the place of which method: the SDK's, and ours."""
_current: ContextVar[Call | None] = ContextVar("fleetmeter_openai_call", default=None)


def options_of(
    prices: "PriceList | str | Path | None", *, ask_for_usage: bool, estimate: "bool | Tokenizer"
) -> Options:
    """The options of `instrument_openai`, checked."""
    known = PriceList.from_env(os.environ) if prices is None else prices
    price_list = known if isinstance(known, PriceList) else PriceList.from_file(known)
    asked_for = (prices if isinstance(prices, PriceList) else str(prices), ask_for_usage, estimate)
    return Options(price_list, ask_for_usage, tokenizer_of(estimate), asked_for, genai=genai.wanted())


def add(client: Any, options: Options) -> None:
    """Count a client, or everybody."""
    global _everybody
    with _lock:
        if client is not None:
            _single[_connections(client)] = options
        elif _everybody is not None and _everybody.asked_for != options.asked_for:
            raise InstallError(
                "all clients of openai are counted already, with other arguments; call uninstrument_openai() first"
            )
        elif _everybody is None:
            _everybody = options
        _patch()


def remove(client: Any) -> None:
    """Count a client no longer, or nobody; the classes are as they were once nobody is counted."""
    global _everybody
    with _lock:
        if client is not None:
            _single.pop(_connections(client), None)
        else:
            _everybody = None
            _single.clear()
        if _everybody is None and not _single:
            for (owner, name), (stock, ours) in list(_patched.items()):
                if vars(owner)[name] is ours:  # if not, somebody stands on it: it stays, and passes calls on
                    setattr(owner, name, stock)
                    del _patched[owner, name]


def _connections(client: Any) -> Any:
    """What a client and its copies share."""
    found = client
    if not isinstance(client, base.BaseClient):
        load = getattr(client, "_load_client", None)  # the module `openai` has a client behind it
        found = load() if callable(load) else getattr(client, "_client", None)  # or a resource, such as `client.chat`
    if not isinstance(found, base.BaseClient):
        raise TypeError(
            f"instrument_openai() got a {type(client).__name__}, expected a client of the openai SDK, or None for all"
        )
    return found._client  # noqa: SLF001  the SDK has no public name for it


def _counted(client: Any) -> Options | None:
    """How a client's calls are counted; None if they are not."""
    if _single:
        own = _single.get(client._client)  # noqa: SLF001
        if own is not None:
            return own
    return _everybody


def _patch() -> None:
    missing = [f"{owner.__name__}.{name}" for owner, name in _MAKERS if name not in vars(owner)]
    if missing:
        raise InstallError(f"this version of openai has no {', '.join(missing)}; install openai>=2.20")
    for (owner, name), make in _MAKERS.items():
        if (owner, name) not in _patched:
            stock = vars(owner)[name]
            _patched[owner, name] = stock, make(stock)
            setattr(owner, name, _patched[owner, name][1])


def _begin(options: Options, client: Any, request: Any, *, stream: bool) -> tuple[Call, Any]:
    """The call that begins, and the request to send: another one if usage is asked for."""
    call = Call(options, client, request, stream=stream)
    body = request.json_data
    if (
        options.ask_for_usage
        and stream
        and call.resource.endpoint == "chat.completions"
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
    return call, request


def _request(stock: Any) -> Any:
    @functools.wraps(stock)
    def request(self: Any, cast_to: Any, options: Any, **named: Any) -> Any:
        call = None
        try:
            counted = _counted(self)
            if counted is not None:
                call, options = _begin(counted, self, options, stream=bool(named.get("stream")))
        except Exception as error:  # noqa: BLE001  the call is the caller's
            complain("begin", error)
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
        quietly(call.returned, result)
        return result

    return request


def _arequest(stock: Any) -> Any:
    @functools.wraps(stock)
    async def request(self: Any, cast_to: Any, options: Any, **named: Any) -> Any:
        call = None
        try:
            counted = _counted(self)
            if counted is not None:
                call, options = _begin(counted, self, options, stream=bool(named.get("stream")))
        except Exception as error:  # noqa: BLE001  the call is the caller's
            complain("begin", error)
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
        quietly(call.returned, result)
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
            quietly(_got, call, named, is_async=False)
        return stock(self, **named)

    return process_response


def _aprocess_response(stock: Any) -> Any:
    @functools.wraps(stock)
    async def process_response(self: Any, **named: Any) -> Any:
        call = _current.get()
        if call is not None:
            quietly(_got, call, named, is_async=True)
        return await stock(self, **named)

    return process_response


def _got(call: Call, named: dict[str, Any], *, is_async: bool) -> None:
    """An answer came for the call of this context."""
    response = named["response"]
    call.got(response, named.get("retries_taken", 0))
    setattr(response, _SEE, call.progress.see if call.stream else call.see)
    if not response.is_closed:
        watch(response, call, is_async=is_async)
        call.watch(response.headers.get("content-encoding", ""))
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
