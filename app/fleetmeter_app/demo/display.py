"""Shows the view: redrawn in place on a terminal; elsewhere one more line every few seconds."""

import asyncio
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live

from fleetmeter_app.demo.view import Moment, line, view

_REDRAW_SECONDS = 0.25
_LINE_SECONDS = 3.0


class Display:
    """A context manager that shows a moment, and shows it a last time at its end."""

    def __init__(self, console: Console, moment: Moment) -> None:
        self._console = console
        self._moment = moment
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    async def keep_showing(self) -> None:
        """Show the moment again and again, until cancelled."""
        while True:
            await asyncio.sleep(_LINE_SECONDS if self._live is None else _REDRAW_SECONDS)
            self._show()

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._show()
        if self._live is not None:
            self._live.stop()

    def _show(self) -> None:
        if self._live is None:
            self._console.print(line(self._moment), soft_wrap=True)
        else:
            self._live.update(view(self._moment), refresh=True)
