"""The pytest plugin: one fixture. It imports nothing of fleetmeter before a test asks for it.

A package of its own, because importing any part of `fleetmeter` imports all of it, which every pytest run of every
project in the environment would pay for.
"""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fleetmeter.testing import Recorder


@pytest.fixture
def fleetmeter_recorder() -> "Recorder":
    """What this test records, from here on: see `fleetmeter.testing.Recorder`."""
    from fleetmeter.testing import Recorder

    return Recorder()
