"""Fleet-wide Prometheus metrics: replicas count in Redis, one exporter serves the totals."""

from fleetmeter._version import __version__
from fleetmeter.durability import durable
from fleetmeter.errors import (
    BlockError,
    FleetmeterError,
    InstallError,
    NotDurable,
    SettingError,
    StateError,
    StoreError,
    StoreRefused,
    StoreUnreachable,
)
from fleetmeter.installation import aflush, flush, install, shutdown, uninstall
from fleetmeter.instrumentation import instrument_fastapi
from fleetmeter.transaction import atomic

__all__ = [
    # a process' part in the fleet
    "install",
    "uninstall",
    "flush",
    "aflush",
    "shutdown",
    # recording
    "atomic",
    "durable",
    "instrument_fastapi",
    # errors
    "FleetmeterError",
    "BlockError",
    "InstallError",
    "NotDurable",
    "SettingError",
    "StateError",
    "StoreError",
    "StoreRefused",
    "StoreUnreachable",
    # version
    "__version__",
]
