"""What every program of the matrix records: one count, and behind it one byte in the ledger."""

import os

from prometheus_client import Counter

import fleetmeter

fleetmeter.install()
counted = Counter("counted", "Records.")
imported = Counter("imported", "Imports that counted.")
_ledger = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
if os.environ.get("COUNT_IMPORT"):
    imported.inc()


def record() -> None:
    """Count, and write it down."""
    counted.inc()
    note()


def note() -> None:
    """Write down what somebody else has counted."""
    os.write(_ledger, b"x")
