"""Bounds: of what a request may ask, and of a call to an upstream."""

from dataclasses import dataclass

from fleetmeter_app.tables import Table


@dataclass(frozen=True)
class LimitsConfig:
    """What a request may ask at most, and what of it is held at once. Times are seconds.

    `max_routed_characters` of a message are what its intent is chosen by: its kind shows in its beginning, and rules
    cost time for each character. `send_seconds` is how long a client may take nothing of its answer.
    """

    max_query_characters: int
    max_routed_characters: int = 500
    max_body_bytes: int = 20 * 2**20
    max_header_bytes: int = 32 * 2**10
    header_seconds: float = 10.0
    body_seconds: float = 60.0
    send_seconds: float = 60.0
    max_concurrent_requests: int = 1_000
    max_connections: int = 4_000
    drain_seconds: float = 20.0
    keepalive_seconds: float = 15.0


@dataclass(frozen=True)
class UpstreamCalls:
    """How a model is called: times in seconds, and attempts after the first.

    `timeout_seconds` is how long an upstream may be silent: before its answer, and between two parts of it.
    """

    timeout_seconds: float
    max_retries: int
    connect_seconds: float = 5.0
    max_retry_after_seconds: float = 2.0
    max_answer_bytes: int = 64 * 2**20


def read_limits(table: Table) -> LimitsConfig:
    """The table `[limits]`."""
    limits = LimitsConfig(
        max_query_characters=table.take_integer("max_query_characters", minimum=1),
        max_routed_characters=table.take_integer(
            "max_routed_characters", LimitsConfig.max_routed_characters, minimum=1
        ),
        max_body_bytes=table.take_integer("max_body_bytes", LimitsConfig.max_body_bytes, minimum=1),
        max_header_bytes=table.take_integer("max_header_bytes", LimitsConfig.max_header_bytes, minimum=1024),
        header_seconds=table.take_number("header_seconds", LimitsConfig.header_seconds),
        body_seconds=table.take_number("body_seconds", LimitsConfig.body_seconds),
        send_seconds=table.take_number("send_seconds", LimitsConfig.send_seconds),
        max_concurrent_requests=table.take_integer(
            "max_concurrent_requests", LimitsConfig.max_concurrent_requests, minimum=1
        ),
        max_connections=table.take_integer("max_connections", LimitsConfig.max_connections, minimum=1),
        drain_seconds=table.take_number("drain_seconds", LimitsConfig.drain_seconds),
        keepalive_seconds=table.take_number("keepalive_seconds", LimitsConfig.keepalive_seconds),
    )
    table.close()
    return limits


def read_upstream(table: Table) -> UpstreamCalls:
    """The table `[upstream]`."""
    upstream = UpstreamCalls(
        timeout_seconds=table.take_number("timeout_seconds"),
        max_retries=table.take_integer("max_retries"),
        connect_seconds=table.take_number("connect_seconds", UpstreamCalls.connect_seconds),
        max_retry_after_seconds=table.take_number(
            "max_retry_after_seconds", UpstreamCalls.max_retry_after_seconds, positive=False
        ),
        max_answer_bytes=table.take_integer("max_answer_bytes", UpstreamCalls.max_answer_bytes, minimum=1024),
    )
    table.close()
    return upstream
