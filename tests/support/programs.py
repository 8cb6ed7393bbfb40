"""Optional programs that some tests need."""

import os
import shutil

import pytest


def program(name: str) -> str:
    """The path of an optional program; where it is missing the test is skipped, and fails with CI=true."""
    path = shutil.which(name)
    if path is None:
        reason = f"{name} is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path
