"""The table `[tools]`: which tools there are, and what they and the agent loop may take at most."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fleetmeter_app.tables import Table

OHLCV_TOOLS = ("latest_quote", "indicator")
"""The tools that there are once a folder of OHLCV files is named."""

MOST_THREADS = 64
"""Threads of tools at once. A tool that hangs keeps its thread until it returns, so a replica needs a bound."""


@dataclass(frozen=True)
class ToolsConfig:
    """Tools and their bounds; times are seconds.

    `ohlcv` is the folder of OHLCV files, or None. `functions` are the user's own, as `module:function`. `max_steps` is
    how many answers of a model may ask for tools; the answer after the last of them has to do without. `max_calls` is
    how many tools one answer may ask for. `total_seconds` is for a whole question, with the models' own time.
    """

    ohlcv: Path | None = None
    functions: tuple[str, ...] = ()
    max_steps: int = 4
    max_calls: int = 8
    tool_seconds: float = 10.0
    total_seconds: float = 120.0
    max_result_bytes: int = 16 * 2**10

    @property
    def names(self) -> tuple[str, ...]:
        """What intents may name; a name may be there twice, which `find_tools` refuses."""
        return tuple(self._names())

    def _names(self) -> Iterator[str]:
        if self.ohlcv is not None:
            yield from OHLCV_TOOLS
        for function in self.functions:
            yield function.rpartition(":")[2].rpartition(".")[2]


def read_tools(table: Table) -> ToolsConfig:
    """The table `[tools]`; a folder that is no absolute path is looked for beside the configuration's file."""
    folder = table.take_text("ohlcv", "")
    config = ToolsConfig(
        ohlcv=_folder(table, folder) if folder else None,
        functions=table.take_texts("functions", may_be_empty=True),
        max_steps=table.take_integer("max_steps", ToolsConfig.max_steps, minimum=1),
        max_calls=table.take_integer("max_calls", ToolsConfig.max_calls, minimum=1),
        tool_seconds=table.take_number("tool_seconds", ToolsConfig.tool_seconds),
        total_seconds=table.take_number("total_seconds", ToolsConfig.total_seconds),
        max_result_bytes=table.take_integer("max_result_bytes", ToolsConfig.max_result_bytes, minimum=256),
    )
    table.close()
    return config


def _folder(table: Table, text: str) -> Path:
    folder = Path(table.file).parent / text
    if not folder.is_dir():
        table.refuse("ohlcv", f"{str(folder)!r} is no folder; name the one that has your OHLCV files")
    return folder
