"""Fleet-wide Prometheus metrics: replicas count in Redis, one exporter serves the totals."""

from fleetmeter._version import __version__
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
from fleetmeter.instrumentation import instrument_fastapi
from fleetmeter.instrumentation.openai.instrument import instrument_openai, uninstrument_openai
from fleetmeter.process.durability import durable
from fleetmeter.process.installation import aflush, flush, hand_over, install, shutdown, uninstall
from fleetmeter.process.transaction import atomic

__all__ = [
    # a process' part in the fleet
    "install",
    "uninstall",
    "flush",
    "aflush",
    "hand_over",
    "shutdown",
    # recording
    "atomic",
    "durable",
    "instrument_fastapi",
    "instrument_openai",
    "uninstrument_openai",
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
