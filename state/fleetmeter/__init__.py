"""Fleet-wide Prometheus metrics: replicas count in Redis, one exporter serves the totals."""

from fleetmeter._version import __version__
from fleetmeter.errors import (
    FleetmeterError,
    InstallError,
    SettingError,
    StateError,
    StoreError,
    StoreRefused,
    StoreUnreachable,
)
from fleetmeter.instrumentation import instrument_fastapi
from fleetmeter.runtime import aflush, flush, install, shutdown, uninstall
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
    "instrument_fastapi",
    # errors
    "FleetmeterError",
    "InstallError",
    "SettingError",
    "StateError",
    "StoreError",
    "StoreRefused",
    "StoreUnreachable",
    # version
    "__version__",
]
