"""What is remembered of prices and names, so that other prices make it forgotten, and callers cannot fill the memory.

Prices change while other threads ask for them: the source is replaced first, and then the dictionary of what it said.
Whoever asks takes the dictionary first and then the source. So a result of the old source stands in the old
dictionary, which nobody reads any more.
"""

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


def keep(kept: dict[K, V], key: K, result: V, most: int) -> V:
    """Remember a result in the dictionary that was asked for it, and return it; `most` results are remembered."""
    if len(kept) >= most:
        kept.clear()
    kept[key] = result
    return result
