"""The tools of a configuration, found and ready to be run."""

from collections.abc import Callable, Mapping
from importlib import import_module
from operator import attrgetter
from typing import Any

from fleetmeter_app.errors import ConfigError
from fleetmeter_app.tools.config import MOST_THREADS, ToolsConfig
from fleetmeter_app.tools.runs import Runner
from fleetmeter_app.tools.threads import Threads
from fleetmeter_app.tools.tool import Tool


class Registry:
    """Tools by name, and what runs them."""

    def __init__(self, config: ToolsConfig, tools: Mapping[str, Tool]) -> None:
        self.config = config
        self.runner = Runner(Threads(MOST_THREADS), config.max_result_bytes)
        self._tools = tools

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all tools."""
        return tuple(self._tools)

    def chosen(self, names: tuple[str, ...]) -> dict[str, Tool]:
        """Those of these names, in their order."""
        return {name: self._tools[name] for name in names}


def find_tools(config: ToolsConfig, file: str) -> Registry:
    """The registry of a configuration; raises `ConfigError` for a tool that cannot be found, or is none."""
    tools: dict[str, Tool] = {}
    if config.ohlcv is not None:
        try:
            from fleetmeter_app.tools.market import market_tools
        except ImportError as error:
            missing = f"needs {error.name}, which is not installed: pip install 'fleetmeter[tools]'"
            raise ConfigError(file, "tools.ohlcv", missing) from error
        tools.update({tool.name: tool for tool in market_tools(config.ohlcv)})
    for name in config.functions:
        try:
            tool = Tool(_function(name))
        except (ImportError, AttributeError) as error:
            raise ConfigError(file, "tools.functions", f"{name!r} cannot be imported: {error}") from error
        except ValueError as error:
            raise ConfigError(file, "tools.functions", f"{name!r} is no tool: {error}") from error
        if tool.name in tools:
            raise ConfigError(file, "tools.functions", f"there are two tools with the name {tool.name!r}")
        tools[tool.name] = tool
    return Registry(config, tools)


def _function(name: str) -> Callable[..., Any]:
    module, colon, function = name.partition(":")
    if not colon:
        raise ValueError("expected module:function, as in 'my_tools:weather'")
    found: Callable[..., Any] = attrgetter(function)(import_module(module))
    return found
