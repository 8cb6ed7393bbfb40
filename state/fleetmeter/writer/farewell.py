"""The last that a process says to the store: the rest of its records, and goodbye."""

from time import monotonic, sleep

from fleetmeter.values.accumulator import Accumulator
from fleetmeter.writer.exchange import Exchange
from fleetmeter.writer.pace import HURRY
from fleetmeter.writer.receipts import Receipt, Receipts

STILL = 1.0
"""Seconds to wait, at most, until nobody records, and then until the process is gone."""


class Farewell:
    """Hands over in the calling thread, whichever that is. The methods raise `StoreError` for a call that failed."""

    def __init__(self, accumulator: Accumulator, exchange: Exchange, receipts: Receipts) -> None:
        self._accumulator = accumulator
        self._exchange = exchange
        self._receipts = receipts

    def send_here(self, *, goodbye: bool, replicas: int) -> None:
        """Hand over from the calling thread, because no thread of our own can be had."""
        self._exchange.hand_over()
        if replicas:
            self._exchange.replicate(replicas)
        if goodbye:
            self._exchange.say_goodbye()

    def say_last_word(self, receipt: Receipt) -> None:
        """Hand over the rest and say goodbye while no other thread can record, and keep it so until the process ends.

        A record after the goodbye would be lost with the process, or would make it a replica once more. If the signal
        does not end the process, as with the first process of a container, it goes on after `STILL`.
        """
        lock = self._accumulator.lock
        if not lock.acquire(timeout=STILL):
            return
        try:
            if receipt in self._receipts:
                self._exchange.hand_over()
                self._exchange.say_goodbye()
                receipt.put(None)
            ends_by = monotonic() + STILL
            while receipt in self._receipts and monotonic() < ends_by:
                sleep(HURRY)
            self._receipts.forget(receipt)
        finally:
            lock.release()
