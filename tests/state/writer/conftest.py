"""What tests of a writer may ask for."""

from collections.abc import Iterator
from typing import Any

import pytest

from support.packed import Hand, NewHand
from support.store import StoreAddress


@pytest.fixture
def hand(store: StoreAddress) -> Iterator[NewHand]:
    """Makes writers of one namespace, whose batches are written by hand."""
    hands: list[Hand] = []

    def new(name: str = "w", **options: Any) -> Hand:
        hands.append(Hand(store, name, **options))
        return hands[-1]

    yield new
    for one in hands:
        one.close()
