"""A browser, and boards of a test's namespace."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from support.board import RunningBoard, chromium, running_board
from support.store import StoreAddress


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all tests of a file. While it is open an event loop runs in this thread, so no `asyncio.run()` can."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def board(store: StoreAddress, tmp_path: Path) -> Iterator[Callable[..., RunningBoard]]:
    """Starts boards of the test's namespace; all of them end with the test."""
    with ExitStack() as stack:
        yield lambda *flags, **options: stack.enter_context(running_board(store, tmp_path, *flags, **options))
