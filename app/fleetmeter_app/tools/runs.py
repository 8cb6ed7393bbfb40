"""One tool that a model asked for, run within its bounds; whatever happens, the model gets words."""

import asyncio
import json
import logging
import traceback
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any, Literal

from fleetmeter.llm import record_tool_execution
from fleetmeter_app.errors import ToolError
from fleetmeter_app.tools.results import written
from fleetmeter_app.tools.threads import Threads
from fleetmeter_app.tools.tool import Tool
from fleetmeter_app.wire.tool_calls import ToolCall

log = logging.getLogger("fleetmeter.app")

_MOST_ARGUMENT_BYTES = 2**16
_UNKNOWN = "other"
"""The name that a tool is counted under which there is not: a model may write anything."""


@dataclass(frozen=True)
class ToolRun:
    """How a tool ended; `text` is what the model is told: the result as JSON, or what went wrong, in words."""

    name: str
    status: Literal["success", "error", "timeout"]
    text: str


class Runner:
    """Runs tools: functions in threads, coroutines in the event loop. A result has at most `most_bytes`."""

    def __init__(self, threads: Threads, most_bytes: int) -> None:
        self._threads = threads
        self._most_bytes = most_bytes
        self._abandoned: set[asyncio.Task[str]] = set()

    async def run(self, call: ToolCall, tools: Mapping[str, Tool], seconds: float) -> ToolRun:
        """Run one of these tools for so many seconds at most, and count it. Raises nothing but its cancellation."""
        tool = tools.get(call.name)
        started = perf_counter()
        if tool is None:
            known = ", ".join(tools) or "none"
            run = ToolRun(_UNKNOWN, "error", f"There is no tool {call.name[:64]!r}. The tools are: {known}.")
        else:
            run = await self._known(tool, call, seconds)
        record_tool_execution(run.name, run.status, perf_counter() - started)
        return run

    async def _known(self, tool: Tool, call: ToolCall, seconds: float) -> ToolRun:
        task = asyncio.create_task(self._attempt(tool, call.arguments))
        try:
            await asyncio.wait({task}, timeout=seconds)
        finally:
            if not task.done():  # it is not waited for: it may swallow its cancellation
                task.cancel()
                self._abandoned.add(task)
                task.add_done_callback(self._gone)
        if task in self._abandoned or not task.done():
            return ToolRun(tool.name, "timeout", f"{tool.name} did not end within {seconds:.3g} s.")
        try:
            return ToolRun(tool.name, "success", task.result())
        except ToolError as error:
            return ToolRun(tool.name, "error", f"{tool.name}: {_bounded(str(error), self._most_bytes)}")
        except BaseException as error:  # noqa: BLE001 - a tool must not cost the answer
            log.warning("the tool %s raised %s at %s", tool.name, type(error).__name__, _place(error))
            return ToolRun(tool.name, "error", f"{tool.name} failed. Do without this tool.")

    async def _attempt(self, tool: Tool, text: str) -> str:
        if tool.is_async:
            found = await _no_exit(tool.bound(_arguments(text))())
            return written(found, self._most_bytes)
        return await self._threads.run(partial(_in_thread, tool, text, self._most_bytes))

    def _gone(self, task: asyncio.Task[str]) -> None:
        self._abandoned.discard(task)
        if not task.cancelled():
            task.exception()  # nobody waits for it any more


def _in_thread(tool: Tool, text: str, most_bytes: int) -> str:
    try:
        return written(tool.bound(_arguments(text))(), most_bytes)
    except (SystemExit, KeyboardInterrupt, StopIteration) as error:
        raise LeftError(type(error).__name__) from error


async def _no_exit(work: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine returns; its SystemExit would end the event loop."""
    try:
        return await work
    except (SystemExit, KeyboardInterrupt) as error:
        raise LeftError(type(error).__name__) from error


class LeftError(Exception):
    """A tool raised what is to end a program, or an iteration."""


def _arguments(text: str) -> dict[str, Any]:
    """Arguments as a model wrote them; an empty text is none."""
    if len(text) > _MOST_ARGUMENT_BYTES:
        raise ToolError(f"the arguments are longer than {_MOST_ARGUMENT_BYTES} characters.")
    try:
        arguments = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise ToolError("the arguments are no JSON. Call it again with a JSON object.") from error
    if not isinstance(arguments, dict):
        raise ToolError("the arguments are no JSON object. Call it again with one.")
    return arguments


def _bounded(text: str, most_bytes: int) -> str:
    return text.encode("utf-8", "replace")[:most_bytes].decode("utf-8", "ignore")


def _place(error: BaseException) -> str:
    """Where it was raised. The error's text is not logged, as it may hold what somebody asked."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "an unknown place"
