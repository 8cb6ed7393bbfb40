"""One TLS context for all HTTP clients of a test process.

Every `httpx.get()` and every client of the SDK reads the machine's certificate authorities anew: up to 40 ms of a
core, many thousand times in a run whose clients speak plain HTTP to this machine. A client that is given a context of
its own keeps it.
"""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any

import pytest

_CLIENTS = ("httpx._transports.default", "httpx2._transports.default")
"""Where the clients' contexts are created: httpx for our tests, its successor for the SDK."""


@contextmanager
def read_once() -> Iterator[None]:
    """Let clients that name no authorities share one context, within the block."""
    with pytest.MonkeyPatch.context() as patch:
        for client in _CLIENTS:
            module: Any = import_module(client)
            patch.setattr(module, "create_ssl_context", _shared(module.create_ssl_context))
        yield


def _shared(create: Callable[..., ssl.SSLContext]) -> Callable[..., ssl.SSLContext]:
    default = cache(create)

    def create_ssl_context(verify: Any = True, cert: Any = None, trust_env: bool = True) -> ssl.SSLContext:
        if verify is True and cert is None:
            return default(trust_env=trust_env)
        return create(verify=verify, cert=cert, trust_env=trust_env)

    return create_ssl_context
