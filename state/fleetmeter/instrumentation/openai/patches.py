"""The four methods of the SDK's clients that calls are seen at, for as long as anybody counts them.

`request` is where a call begins and where it returns or raises; `_build_request` is called for each attempt;
`_process_response` gets the answer; `_process_response_data` gets whatever is parsed of it. They are those of the
classes, so that clients made earlier, copies and subclasses are seen alike (tried with openai 2.20 to 3.57).
"""

import functools
import weakref
from contextvars import ContextVar
from threading import Lock
from typing import TYPE_CHECKING, Any

from openai import _base_client as base

from fleetmeter.errors import InstallError
from fleetmeter.instrumentation.openai.call import Call, Options, quietly
from fleetmeter.instrumentation.openai.captured import UsageFilter
from fleetmeter.instrumentation.openai.estimates import tokenizer_of
from fleetmeter.instrumentation.openai.watched import watch
from fleetmeter.pricing import PriceList

if TYPE_CHECKING:
    from pathlib import Path

    from fleetmeter.instrumentation.openai.instrument import Tokenizer

_NAMES = (
    (base.BaseClient, "_build_request"),
    (base.BaseClient, "_process_response_data"),
    (base.SyncAPIClient, "request"),
    (base.AsyncAPIClient, "request"),
    (base.SyncAPIClient, "_process_response"),
    (base.AsyncAPIClient, "_process_response"),
)
_CALL = "_fleetmeter_call"
"""Under which name a response holds its call."""

_lock = Lock()
_everybody: Options | None = None
_single: "weakref.WeakKeyDictionary[Any, Options]" = weakref.WeakKeyDictionary()
"""By a client's connections, which its copies share."""
_stock: dict[tuple[type, str], Any] = {}
_current: ContextVar[Call | None] = ContextVar("fleetmeter_openai_call", default=None)


def options_of(
    prices: "PriceList | str | Path | None", *, ask_for_usage: bool, estimate: "bool | Tokenizer"
) -> Options:
    """The options of `instrument_openai`, checked."""
    known = PriceList() if prices is None else prices
    price_list = known if isinstance(known, PriceList) else PriceList.from_file(known)
    asked_for = (prices if isinstance(prices, PriceList) else str(prices), ask_for_usage, estimate)
    return Options(price_list, ask_for_usage, tokenizer_of(estimate), asked_for)


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
        if not _stock:
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
            for (owner, name), method in _stock.items():
                setattr(owner, name, method)
            _stock.clear()


def _connections(client: Any) -> Any:
    module_client = getattr(client, "_load_client", None)  # `import openai; openai.chat…` has one behind it
    if not isinstance(client, base.BaseClient):
        found = getattr(client, "_client", None)
        client = found if isinstance(found, base.BaseClient) else client
    if module_client is None and not isinstance(client, base.BaseClient):
        raise TypeError(
            f"instrument_openai() got a {type(client).__name__}, expected a client of the openai SDK, or None for all"
        )
    return client._client  # noqa: SLF001  the SDK has no public name for it


def _counted(client: Any) -> Options | None:
    """How a client's calls are counted; None if they are not."""
    if _single:
        own = _single.get(client._client)  # noqa: SLF001
        if own is not None:
            return own
    return _everybody


def _patch() -> None:
    missing = [f"{owner.__name__}.{name}" for owner, name in _NAMES if name not in vars(owner)]
    if missing:
        raise InstallError(f"this version of openai has no {', '.join(missing)}; install openai>=2.20")
    for owner, name in _NAMES:
        _stock[owner, name] = vars(owner)[name]
    replace = {
        (base.BaseClient, "_build_request"): _build_request,
        (base.BaseClient, "_process_response_data"): _process_response_data,
        (base.SyncAPIClient, "request"): _request,
        (base.AsyncAPIClient, "request"): _arequest,
        (base.SyncAPIClient, "_process_response"): _process_response,
        (base.AsyncAPIClient, "_process_response"): _aprocess_response,
    }
    for key, make in replace.items():
        setattr(*key, make(_stock[key]))


def _begin(client: Any, request: Any, *, stream: bool) -> tuple[Call | None, Any]:
    """The call that begins, and the request to send: another one if usage is asked for."""
    options = _counted(client)
    if options is None:
        return None, request
    call = Call(options, client, request, stream=stream)
    body = request.json_data
    if (
        options.ask_for_usage
        and stream
        and call.resource.endpoint == "chat.completions"
        and isinstance(body, dict)
        and not isinstance(body.get("stream_options"), dict)
    ):
        request = request.model_copy() if hasattr(request, "model_copy") else request.copy()
        request.json_data = {**body, "stream_options": {"include_usage": True}}
        # what is taken out of the bytes has to be readable there
        headers = request.headers if isinstance(request.headers, dict) else {}
        request.headers = {**headers, "Accept-Encoding": "identity"}
        call.asked_for_usage = True
        call.filter = UsageFilter()
    return call, request


def _request(stock: Any) -> Any:
    @functools.wraps(stock)
    def request(self: Any, cast_to: Any, options: Any, **named: Any) -> Any:
        begun = quietly(_begin, self, options, stream=bool(named.get("stream")))
        call, options = begun or (None, options)
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
        begun = quietly(_begin, self, options, stream=bool(named.get("stream")))
        call, options = begun or (None, options)
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
            quietly(call.attempt, named.get("retries_taken", 0))
        return stock(self, options, **named)

    return build_request


def _process_response(stock: Any) -> Any:
    @functools.wraps(stock)
    def process_response(self: Any, **named: Any) -> Any:
        quietly(_got, named, is_async=False)
        return stock(self, **named)

    return process_response


def _aprocess_response(stock: Any) -> Any:
    @functools.wraps(stock)
    async def process_response(self: Any, **named: Any) -> Any:
        quietly(_got, named, is_async=True)
        return await stock(self, **named)

    return process_response


def _got(named: dict[str, Any], *, is_async: bool) -> None:
    """An answer came for the call of this context."""
    call = _current.get()
    if call is None:
        return
    response = named["response"]
    call.got(response, named.get("retries_taken", 0))
    setattr(response, _CALL, call)
    if call.watched:
        watch(response, call, is_async=is_async)
        weakref.finalize(response, call.let_go)


def _process_response_data(stock: Any) -> Any:
    @functools.wraps(stock)
    def process_response_data(self: Any, *, data: Any, cast_to: Any, response: Any) -> Any:
        call = getattr(response, _CALL, None)
        if call is not None:
            quietly(call.see, data)
        return stock(self, data=data, cast_to=cast_to, response=response)

    return process_response_data
