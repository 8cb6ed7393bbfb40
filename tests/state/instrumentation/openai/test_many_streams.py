"""Many streams at once, a third of which are left."""

import pytest

from support.counts import Counts
from support.streams import wave
from support.upstream import RunningUpstream

STREAMS = 200
"""`make bench ONLY=streams` has a thousand."""


# On a busy machine httpcore2 2.16 leaves sockets of answers that were read to their end to the garbage collector (up to
# 66 of 200; 43 without our hook). That is not what is tested here.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_each_of_many_streams_ends_once_and_leaves_nothing(upstream: RunningUpstream, counts: Counts) -> None:
    """Two hundred open at once: one call each, the left ones aborts of unknown price, and less than an object stays."""
    first, second, third = (wave(upstream.base_url, STREAMS) for _ in range(3))
    assert [one.differences() for one in (first, second, third)] == [[], [], []]
    assert counts.calls == 3 * STREAMS
    assert third.objects - second.objects < STREAMS
