"""A vocabulary for one test, in which nothing has been learned yet."""

import pytest

from fleetmeter.llm import calls, guards, records
from fleetmeter.llm.vocabulary import Vocabulary


def fresh_vocabulary(monkeypatch: pytest.MonkeyPatch) -> Vocabulary:
    """The new vocabulary, which all record helpers use until the test's end."""
    vocabulary = Vocabulary()
    for module in (calls, guards, records):
        monkeypatch.setattr(module, "VOCABULARY", vocabulary)
    return vocabulary
