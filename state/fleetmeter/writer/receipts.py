"""Receipts: what callers wait for until it is in the store."""

import queue
from typing import NamedTuple

Receipt = queue.SimpleQueue[None]
"""A receipt: it gets one item when what was asked for is in the store. Waiting for it needs no lock of Python's."""


class Request(NamedTuple):
    """What a receipt stands for: how many store replicas must have it, and whether goodbye must be said first.

    With `last` nothing is recorded afterwards: the process is at its end.
    """

    replicas: int = 0
    goodbye: bool = False
    last: bool = False


class Receipts:
    """The receipts that somebody waits for. It takes no lock: signal handlers ask while the flush thread hands over."""

    def __init__(self) -> None:
        self._requests: dict[Receipt, Request] = {}

    def ask(self, receipt: Receipt, request: Request) -> None:
        """Note what a receipt stands for."""
        self._requests[receipt] = request

    def asked(self) -> list[tuple[Receipt, Request]]:
        """All that is asked for now. Requests that take longer come last."""
        return sorted(self._requests.items(), key=lambda item: (item[1].last, item[1].replicas))

    def give(self, receipt: Receipt) -> None:
        """Tell the caller that waits for it, and let go of it."""
        receipt.put(None)
        self.forget(receipt)

    def forget(self, receipt: Receipt) -> None:
        """Let go of a receipt that nobody waits for any more."""
        self._requests.pop(receipt, None)

    def __contains__(self, receipt: Receipt) -> bool:
        return receipt in self._requests

    def __bool__(self) -> bool:
        return bool(self._requests)
