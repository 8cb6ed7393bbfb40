"""The bytes of a response on their way to the caller: the one place where every form of a stream comes to its end.

A response's `stream` is replaced by one that hands on the same bytes and tells a watcher of each, of an error, and of
the end. Its class is made from the response's own library (httpx or httpx2), which checks for it.
"""

from collections.abc import AsyncIterator, Iterator
from functools import cache
from importlib import import_module
from typing import Any, Protocol

_LIBRARIES = frozenset({"httpx", "httpx2"})


class Watcher(Protocol):
    """What a stream of bytes tells. None of it may raise.

    Of each chunk it is told by `last` and `before_last`, and by `pass_on` only until it no longer `listens`: most bytes
    are looked at by somebody else.
    """

    listens: bool
    last: bytes
    before_last: bytes

    def pass_on(self, chunk: bytes) -> bytes:
        """Take note of a chunk; what is returned goes to the caller in its place."""

    def rest(self) -> bytes:
        """What was held back when the bytes came to their end."""

    def broken(self, error: BaseException) -> None:
        """The bytes ended with an error."""

    def closed(self) -> None:
        """The stream was closed: read to its end, or left. May be told more than once."""


def watch(response: Any, watcher: Watcher, *, is_async: bool) -> None:
    """Let a watcher see the bytes of a response that is not read yet."""
    kind: Any = type(response)
    response.stream = _classes_for(kind)[is_async](response.stream, watcher)


@cache
def _classes_for(kind: Any) -> tuple[Any, Any]:
    """The classes for sync and async streams of a class of responses."""
    roots = (one.__module__.partition(".")[0] for one in kind.__mro__)
    return _classes(next(root for root in roots if root in _LIBRARIES))


@cache
def _classes(library: str) -> tuple[Any, Any]:
    """The classes for sync and async streams of one library."""
    module: Any = import_module(library)

    class WatchedStream(module.SyncByteStream):  # type: ignore[misc]
        """A sync stream."""

        def __init__(self, inner: Any, watcher: Watcher) -> None:
            self._inner, self._watcher = inner, watcher

        def __iter__(self) -> Iterator[bytes]:
            watcher, chunks = self._watcher, iter(self._inner)
            try:
                for chunk in chunks:
                    watcher.before_last, watcher.last = watcher.last, chunk
                    passed = watcher.pass_on(chunk)
                    if passed:
                        yield passed
                    if not watcher.listens:
                        break
                last = watcher.last
                for chunk in chunks:
                    watcher.before_last = last
                    watcher.last = last = chunk
                    yield chunk
                left = watcher.rest()
                if left:
                    yield left
            except BaseException as error:
                watcher.broken(error)
                raise

        def close(self) -> None:
            """Close what is watched."""
            try:
                self._inner.close()
            finally:
                self._watcher.closed()

    class WatchedAsyncStream(module.AsyncByteStream):  # type: ignore[misc]
        """An async stream."""

        def __init__(self, inner: Any, watcher: Watcher) -> None:
            self._inner, self._watcher = inner, watcher

        async def __aiter__(self) -> AsyncIterator[bytes]:
            watcher, chunks = self._watcher, aiter(self._inner)
            try:
                async for chunk in chunks:
                    watcher.before_last, watcher.last = watcher.last, chunk
                    passed = watcher.pass_on(chunk)
                    if passed:
                        yield passed
                    if not watcher.listens:
                        break
                last = watcher.last
                async for chunk in chunks:
                    watcher.before_last = last
                    watcher.last = last = chunk
                    yield chunk
                left = watcher.rest()
                if left:
                    yield left
            except BaseException as error:
                watcher.broken(error)
                raise

        async def aclose(self) -> None:
            """Close what is watched."""
            try:
                await self._inner.aclose()
            finally:
                self._watcher.closed()

    return WatchedStream, WatchedAsyncStream
