"""Threads for functions that may hang: the process ends without them, and there are never more than so many."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from typing import TypeVar

from fleetmeter_app.errors import ToolError

T = TypeVar("T")


class Threads:
    """Runs functions in daemon threads of their own, at most `most` at once.

    No executor: its threads are waited for when the process ends, and one that hangs would hold it for ever.
    """

    def __init__(self, most: int) -> None:
        self._free = threading.BoundedSemaphore(most)

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` returns or raises. Raises `ToolError` if all threads are taken.

        Whoever leaves earlier leaves the thread behind, which counts until `work` has ended.
        """
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # from now on nobody can cancel it: the thread sets its result
        context = copy_context()

        def body() -> None:
            try:
                result = context.run(work)
            except BaseException as error:  # noqa: BLE001 - it is the caller's
                future.set_exception(error)
            else:
                future.set_result(result)
            finally:
                self._free.release()

        if not self._free.acquire(blocking=False):
            raise ToolError("too many tools are running. Try again later, or do without this tool.")
        try:
            threading.Thread(target=body, name="fleetmeter-tool", daemon=True).start()
        except RuntimeError as error:
            self._free.release()
            raise ToolError("no thread can be started. Try again later, or do without this tool.") from error
        return await asyncio.wrap_future(future)
