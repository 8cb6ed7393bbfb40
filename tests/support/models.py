"""The fixtures that most tests of models ask for: an upstream of their file's own, and that with an empty ledger."""

from collections.abc import Iterator

import pytest

from support.upstream import RunningUpstream, running_upstream


@pytest.fixture(scope="module")
def running() -> Iterator[RunningUpstream]:
    """One upstream process for all tests of a file."""
    with running_upstream() as upstream:
        yield upstream


@pytest.fixture
def upstream(running: RunningUpstream) -> RunningUpstream:
    """The upstream with an empty ledger."""
    running.reset_ledger()
    return running
