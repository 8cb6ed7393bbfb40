"""Says at the end how many blocks of code of the documents were checked, and how."""

from collections import Counter

import pytest

BLOCKS = "blocks"
"""The property in which a test says how many blocks it has checked: `(BLOCKS, "python that ran", 12)`."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line, also if tests ran in several processes."""
    counted: Counter[str] = Counter()
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == BLOCKS:
                what, number = value
                counted[what] += number
    if counted:
        parts = ", ".join(f"{number} {what}" for what, number in sorted(counted.items()))
        terminalreporter.write_line(f"code in the documents: {sum(counted.values())} blocks checked: {parts}")
