"""The table `[breaker]`: when a deployment is left alone, and for how long."""

from dataclasses import dataclass

from fleetmeter_app.tables import Table


@dataclass(frozen=True)
class BreakerConfig:
    """When a circuit opens, and for how long.

    What opens it is `consecutive_failures` in a row, or a `failure_share` of `minimum_calls` or more within
    `window_seconds`, of the whole fleet. It stays open for `open_seconds`, twice as long each time a probe fails, up to
    `longest_seconds`, or as long as the deployment asked to be left alone. A probe has `probe_seconds` to start.
    """

    consecutive_failures: int = 5
    failure_share: float = 0.5
    minimum_calls: int = 20
    window_seconds: float = 30.0
    open_seconds: float = 10.0
    longest_seconds: float = 120.0
    probe_seconds: float = 15.0


def read_breaker(table: Table) -> BreakerConfig:
    """Read the table; raises `ConfigError` for what cannot be used."""
    plain = BreakerConfig()
    config = BreakerConfig(
        consecutive_failures=table.take_integer("consecutive_failures", plain.consecutive_failures, minimum=1),
        failure_share=table.take_number("failure_share", plain.failure_share),
        minimum_calls=table.take_integer("minimum_calls", plain.minimum_calls, minimum=1),
        window_seconds=table.take_number("window_seconds", plain.window_seconds),
        open_seconds=table.take_number("open_seconds", plain.open_seconds),
        longest_seconds=table.take_number("longest_seconds", plain.longest_seconds),
        probe_seconds=table.take_number("probe_seconds", plain.probe_seconds),
    )
    if config.failure_share > 1:
        table.refuse("failure_share", f"is {config.failure_share}; it must be a share from 0 to 1, such as 0.5")
    if config.longest_seconds < config.open_seconds:
        table.refuse("longest_seconds", f"is below open_seconds, which is {config.open_seconds}")
    table.close()
    return config
