"""Tools as functions: their schemas, and what a model is told however a run ends."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest

from fleetmeter.llm import catalogue
from fleetmeter_app.errors import ConfigError
from fleetmeter_app.tables import Table
from fleetmeter_app.tools.config import ToolsConfig, read_tools
from fleetmeter_app.tools.registry import Registry, find_tools
from fleetmeter_app.tools.runs import Runner, ToolRun
from fleetmeter_app.tools.threads import Threads
from fleetmeter_app.tools.tool import Tool
from fleetmeter_app.wire.tool_calls import ToolCall, tool_calls_of
from support import own_tools
from support.exposition import parse, total

SECONDS = 30.0
LIMIT = 4096


@pytest.fixture(autouse=True)
def _release() -> Iterator[None]:
    """Lets go, in the end, whatever hangs."""
    own_tools.RELEASE.clear()
    yield
    own_tools.RELEASE.set()


def run(function: Callable[..., Any], arguments: str = "", seconds: float = SECONDS, most: int = 2) -> ToolRun:
    """One run of a tool."""

    async def work() -> ToolRun:
        tool = Tool(function)
        runner = Runner(Threads(most), LIMIT)
        return await runner.run(ToolCall("id", tool.name, arguments), {tool.name: tool}, seconds)

    return asyncio.run(work())


def executions(**labels: str) -> float:
    """How many were counted."""
    return total(parse(generate_latest(catalogue.REGISTRY)), "tool_executions_total", **labels)


def test_a_schema_follows_from_the_signature() -> None:
    """Types, bounds, choices, defaults and the docstring reach the model, and nothing else may be given."""
    function = Tool(own_tools.add).definition()["function"]
    assert function["name"] == "add"
    assert function["description"] == "Adds two numbers.\n\nTwice, if it is asked to."
    schema = function["parameters"]
    assert schema["properties"]["first"]["type"] == "integer"
    assert schema["properties"]["second"]["minimum"] == 0
    assert schema["properties"]["how"]["enum"] == ["plain", "twice"]
    assert schema["required"] == ["first"]
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("function", [own_tools.positional, own_tools.untyped, 3, lambda: 0])
def test_a_function_that_no_model_can_call_is_refused(function: Any) -> None:
    """One whose arguments cannot all be given by name as JSON, one without a usable name, and what is no function."""
    with pytest.raises(ValueError, match=r"."):
        Tool(function)


def test_a_result_is_json() -> None:
    """Dataclasses, dates and coroutines' results become the text that the model reads; models are made of arguments."""
    assert json.loads(run(own_tools.add, '{"first": 2, "how": "twice"}').text) == {"total": 6, "day": "2026-01-02"}
    assert run(own_tools.visit, '{"place": {"city": "Graz"}}') == ToolRun("visit", "success", '"Graz, 0"')


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ('{"second": 1}', "first"),
        ('{"first": "many"}', "first"),
        ('{"first": 1, "second": -1}', "second"),
        ('{"first": 1, "third": 3}', "third"),
        ('{"first": 1', "no JSON"),
        ("[1]", "no JSON object"),
        ("[" * 100_000, "longer than"),
        ("[" * 60_000, "no JSON"),
        ("", "first"),
    ],
)
def test_wrong_arguments_are_told_by_name(arguments: str, told: str) -> None:
    """The model learns which argument is wrong, in a bounded text, and the function is not called."""
    result = run(own_tools.add, arguments)
    assert result.status == "error"
    assert told in result.text
    assert len(result.text) < 1000


@pytest.mark.parametrize(
    "function",
    [
        own_tools.fail,
        own_tools.leave,
        own_tools.leave_loop,
        own_tools.cancel_itself,
        own_tools.stop,
        own_tools.give_set,
        own_tools.give_nan,
        own_tools.give_endless,
        own_tools.give_circle,
        own_tools.give_deep,
        own_tools.give_much,
        own_tools.explain,
    ],
)
def test_a_tool_that_fails_costs_nothing_but_its_result(
    function: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it raises or returns, the model gets words, it is counted once as an error, and no secret is told."""
    before = executions(tool_name=function.__name__, status="error")
    result = run(function)
    assert result.status == "error"
    assert result.text
    assert len(result.text.encode()) <= LIMIT + 100
    assert "hunter2" not in result.text + caplog.text
    assert executions(tool_name=function.__name__, status="error") == before + 1


def test_a_tool_error_is_told_to_the_model() -> None:
    """Its text is what the model reads."""
    assert run(own_tools.explain).text == "explain: the market is closed"
    assert run(own_tools.fail).text == "fail failed. Do without this tool."


@pytest.mark.parametrize(
    "function",
    [own_tools.give_set, own_tools.give_nan, own_tools.give_endless, own_tools.give_circle, own_tools.give_deep],
)
def test_what_json_cannot_hold_is_told_as_such(function: Callable[..., Any]) -> None:
    """The model learns that the result, not the tool, is at fault."""
    assert "nothing that JSON can hold" in run(function).text


def test_a_thread_that_hangs_does_not_hold_the_process() -> None:
    """A program ends although a tool of it never returns."""
    program = """
import asyncio, threading
from fleetmeter_app.tools.runs import Runner
from fleetmeter_app.tools.threads import Threads
from fleetmeter_app.tools.tool import Tool
from fleetmeter_app.wire.tool_calls import ToolCall

def hang() -> None:
    threading.Event().wait()

work = Runner(Threads(1), 1000).run(ToolCall("id", "hang", ""), {"hang": Tool(hang)}, 0.1)
print(asyncio.run(work).status)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=90, check=True)
    assert ended.stdout == "timeout\n"


def test_half_a_pair_is_no_text() -> None:
    """A result that UTF-8 cannot hold is mended."""
    assert run(own_tools.give_half) == ToolRun("give_half", "success", '"?"')


@pytest.mark.parametrize("function", [own_tools.hang, own_tools.stay])
def test_a_tool_that_hangs_is_left(function: Callable[..., Any]) -> None:
    """In a thread or in the loop, with or without being cancelled: it is a timeout, and counted as one."""

    async def work() -> ToolRun:
        tool = Tool(function)
        runner = Runner(Threads(1), LIMIT)
        result = await runner.run(ToolCall("id", tool.name, ""), {tool.name: tool}, 0.05)
        own_tools.RELEASE.set()  # asyncio.run waits for a task that does not let itself be cancelled
        return result

    before = executions(tool_name=function.__name__, status="timeout")
    result = asyncio.run(work())
    assert result == ToolRun(function.__name__, "timeout", f"{function.__name__} did not end within 0.05 s.")
    assert executions(tool_name=function.__name__, status="timeout") == before + 1


def test_tools_that_hang_take_a_bounded_number_of_threads() -> None:
    """Once all threads are taken the model is told so at once; a thread that ends is free again."""

    async def work() -> list[ToolRun]:
        tools = {tool.name: tool for tool in (Tool(own_tools.hang), Tool(own_tools.add))}
        runner = Runner(Threads(1), LIMIT)
        add = ToolCall("id", "add", '{"first": 1}')
        runs = [
            await runner.run(ToolCall("id", "hang", ""), tools, 0.05),
            await runner.run(add, tools, SECONDS),
        ]
        own_tools.RELEASE.set()
        for _ in range(3000):
            runs.append(await runner.run(add, tools, SECONDS))
            if runs[-1].status == "success":
                break
            await asyncio.sleep(0.01)
        return runs

    hung, refused, *_, found = asyncio.run(work())
    assert (hung.status, refused.status, found.status) == ("timeout", "error", "success")
    assert "too many tools" in refused.text


def test_an_unknown_tool_is_told_with_those_that_there_are() -> None:
    """It is counted under one name, whatever the model writes."""

    async def work() -> ToolRun:
        tools = {"add": Tool(own_tools.add)}
        return await Runner(Threads(1), LIMIT).run(ToolCall("id", "x" * 5000, ""), tools, SECONDS)

    before = executions(tool_name="other", status="error")
    result = asyncio.run(work())
    assert result == ToolRun("other", "error", f"There is no tool {'x' * 64!r}. The tools are: add.")
    assert executions(tool_name="other", status="error") == before + 1


def table(**values: object) -> Table:
    """The table `[tools]`."""
    return Table("gateway.toml", "tools", values)


def found(*functions: str) -> Registry:
    """The registry of these functions."""
    return find_tools(ToolsConfig(functions=functions), "gateway.toml")


def test_own_tools_are_found_by_module_and_function() -> None:
    """Their names are the functions'; an intent's are given in its own order."""
    registry = found("support.own_tools:add", "support.own_tools:visit")
    assert registry.names == ToolsConfig(functions=("support.own_tools:add", "support.own_tools:visit")).names
    assert list(registry.chosen(("visit", "add"))) == ["visit", "add"]


@pytest.mark.parametrize(
    ("functions", "reason"),
    [
        (("support.own_tools",), "expected module:function"),
        (("support.none_such:add",), "cannot be imported"),
        (("support.own_tools:none_such",), "cannot be imported"),
        (("support.own_tools:MEETING",), "it is no function"),
        (("support.own_tools:positional",), "by name"),
        (("support.own_tools:untyped",), "described as JSON"),
        (("support.own_tools:add", "support.own_tools:add"), "two tools"),
    ],
)
def test_tools_that_cannot_be_used_are_refused_at_the_start(functions: tuple[str, ...], reason: str) -> None:
    """With the file, the key and the reason."""
    with pytest.raises(ConfigError, match=reason) as raised:
        found(*functions)
    assert (raised.value.file, raised.value.key) == ("gateway.toml", "tools.functions")


def test_the_table_is_checked(tmp_path: Path) -> None:
    """A folder that is not there, a bound of nothing and an unknown key are refused by name; no table is no tool."""
    assert read_tools(table()) == ToolsConfig()
    assert ToolsConfig().names == ()
    assert read_tools(table(ohlcv=str(tmp_path))).names == ("latest_quote", "indicator")
    for key, value in (("ohlcv", "none-such"), ("max_steps", 0), ("tool_seconds", 0), ("quotes", 1)):
        with pytest.raises(ConfigError) as raised:
            read_tools(table(**{key: value}))
        assert raised.value.key == f"tools.{key}"


def test_calls_of_any_shape_are_read() -> None:
    """What is no call of a function is left out; a missing id and arguments as an object are made good."""

    def calls(value: object) -> list[tuple[str, str, str]]:
        document = {"choices": [{"message": {"tool_calls": value}}]}
        return [(call.id, call.name, call.arguments) for call in tool_calls_of(document)]

    odd: object
    for odd in (None, 3, "x", {}, [None], [{}], [{"function": 3}], [{"function": {"name": 3}}], [{"custom": {}}]):
        assert calls(odd) == []
    assert calls([{"function": {"name": "add", "arguments": {"first": 1}}}]) == [("call_0", "add", '{"first": 1}')]
    assert calls([{"id": 7, "function": {"name": "add", "arguments": None}}]) == [("call_0", "add", "")]
