"""A plugin for pytest: a failed test lets go of what its functions held.

`install()` takes over every metric that it finds on the heap. The traceback of a failed test holds that test's metrics.
The next test would count them, too, and fail in its turn.
"""

import gc
import traceback
from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Empty the frames of the error once its report is written; a debugger gets to see them."""
    report = yield
    if report.failed and call.excinfo is not None and not item.config.getoption("usepdb"):
        _let_go(call.excinfo.value)
        gc.collect()
    return report


def _let_go(error: BaseException) -> None:
    """Empty the frames of an error, and of those that it came from."""
    found: list[BaseException | None] = [error]
    seen: set[int] = set()
    while found:
        each = found.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            traceback.clear_frames(each.__traceback__)
            for frame, _ in traceback.walk_tb(each.__traceback__):
                _ = frame.f_locals  # up to Python 3.12 a copy that was shown before: asking again empties it, too
            found += [each.__cause__, each.__context__]
