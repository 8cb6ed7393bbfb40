"""The multiprocess modes of gauges, as far as the state depends on them."""

MERGED_MODES = frozenset({"sum", "min", "max", "mostrecent"})
"""Modes in which the values of all writers, ended ones included, make one series.

What an ended writer held in such a mode joins a remainder when the writer is put away. `lua/fold.lua` has the same
list (`keeps`) and says how two values are joined; `reader/statements.py` joins them when they are read. In every other
mode (`all`, and all that begin with `live`) the value goes with its writer.
"""

OWN_MODE = "all"
"""The mode in which each process has a series of its own, which is shown for a while after the process has ended."""
