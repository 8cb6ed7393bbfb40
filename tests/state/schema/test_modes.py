"""The multiprocess modes of gauges, which three places have to agree on."""

import re

from prometheus_client import Gauge

from fleetmeter.lua import lua_source
from fleetmeter.schema.modes import MERGED_MODES


def test_the_script_keeps_the_same_modes() -> None:
    """fold.lua and the library agree on the modes whose values outlive their writer."""
    found = re.search(r"local keeps = \{(.*)\}", lua_source("fold"))
    assert found
    assert set(re.findall(r"(\w+) = true", found[1])) == MERGED_MODES


def test_the_modes_are_those_of_the_client() -> None:
    """prometheus_client has the merged modes, `all`, and a live twin of each; a new one would need a decision here."""
    modes = {"all", *MERGED_MODES}
    assert {*modes, *(f"live{mode}" for mode in modes)} == Gauge._MULTIPROC_MODES
