"""Applications around those that a library of others counts: a byte in the ledger for each request, after its count."""

from collections.abc import Iterable
from typing import Any

from matrix_ledger import note


class ASGI:
    """Passes everything on, and notes each request once it was answered."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer, then note."""
        await self.inner(scope, receive, send)
        if scope["type"] == "http":
            note()


class WSGI:
    """Passes everything on, and notes each request before its body goes out."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer, then note."""
        body: Iterable[bytes] = self.inner(environ, start_response)
        note()
        return body
