"""The agent loop: asks the model, runs the tools that it asks for, and asks again with their results; within bounds."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from fleetmeter_app.errors import ApiError
from fleetmeter_app.tools.registry import Registry
from fleetmeter_app.wire.tool_calls import ToolCall, asking, tool_calls_of

if TYPE_CHECKING:
    from fleetmeter_app.tools.runs import ToolRun

Complete = Callable[[Mapping[str, Any]], Awaitable[Any]]
"""Asks a model with the fields of a chat request; the chat completion as a document."""


class AgentLoop:
    """Answers one question with these tools; `runs` are those that were run, in the order of the model's calls."""

    def __init__(self, registry: Registry, names: tuple[str, ...]) -> None:
        self._registry = registry
        self._config = registry.config
        self._tools = registry.chosen(names)
        self.runs: list[ToolRun] = []

    async def answer(self, complete: Complete, fields: Mapping[str, Any]) -> Any:
        """The document of the answer that asks for no tools. Raises what `complete` raises, and 504 for lack of time.

        After `max_steps` answers that ask for tools the model is asked once more, and told to answer without.
        """
        if not self._tools:
            return await complete(fields)
        seconds = self._config.total_seconds
        try:
            async with asyncio.timeout(seconds) as scope:
                return await self._within_time(complete, fields, scope)
        except TimeoutError as error:
            if not scope.expired():
                raise
            raise ApiError(
                504,
                "server_error",
                f"The answer with tools was not there within {seconds:g} s.",
                code="tools_timeout",
                should_retry=False,
            ) from error

    async def _within_time(self, complete: Complete, fields: Mapping[str, Any], scope: asyncio.Timeout) -> Any:
        definitions = [tool.definition() for tool in self._tools.values()]
        messages: list[Any] = list(fields["messages"])
        for _ in range(self._config.max_steps):
            document = await complete({**fields, "messages": messages, "tools": definitions})
            calls = tool_calls_of(document)
            if not calls:
                return document
            messages = [*messages, asking(document, calls), *await self._results(calls, scope)]
        return await complete({**fields, "messages": messages, "tools": definitions, "tool_choice": "none"})

    async def _results(self, calls: tuple[ToolCall, ...], scope: asyncio.Timeout) -> list[dict[str, Any]]:
        """The messages that answer these calls, which run side by side; those above the bound are answered unrun."""
        most = self._config.max_calls
        until = scope.when()
        left = self._config.tool_seconds if until is None else until - asyncio.get_running_loop().time()
        seconds = max(0.0, min(self._config.tool_seconds, left))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._registry.runner.run(call, self._tools, seconds)) for call in calls[:most]]
        runs = [task.result() for task in tasks]
        self.runs += runs
        refusal = f"It was not run: one answer may ask for {most} tools. Ask for it again if you need it."
        texts = [*(run.text for run in runs), *[refusal] * (len(calls) - len(runs))]
        return [call.result(text) for call, text in zip(calls, texts, strict=True)]
