"""What the tests of this folder share."""

from collections.abc import Iterator

import pytest

from fleetmeter.llm.vocabulary import VOCABULARY, Vocabulary


@pytest.fixture(autouse=True)
def open_vocabulary() -> Iterator[None]:
    """Label sets that learn what comes: another test of this process may have closed them."""
    before = dict(vars(VOCABULARY))
    vars(VOCABULARY).update(vars(Vocabulary()))
    yield
    vars(VOCABULARY).update(before)
