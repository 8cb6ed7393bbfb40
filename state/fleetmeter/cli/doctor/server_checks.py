"""Checks of the server: what its version, settings and condition mean for the numbers that it keeps."""

from collections.abc import Iterator

from fleetmeter.cli.doctor.check import Check, Status, not_seen
from fleetmeter.cli.doctor.facts import Facts, numbers_of
from fleetmeter.cli.doctor.safety_checks import eviction_check, log_checks, replication_check
from fleetmeter.cli.printing import bytes_text, seconds_text
from fleetmeter.settings import DEFAULT_FLUSH_INTERVAL
from fleetmeter.writer.pace import flush_pause

_OLDEST = (6, 2)
_SLOW = 0.05
"""Seconds. If calls are slower, a replica flushes less than once a second (see `pace.STRETCH`)."""
_CLOCKS_APART = 2.0
"""Seconds. If clocks differ by more, a graph that compares the store's times with Prometheus' is visibly wrong."""
_MEMORY_WARN, _MEMORY_FAIL = 0.75, 0.95


def server_checks(facts: Facts) -> Iterator[Check]:
    """All findings about the server, in the order in which they are shown."""
    yield _latency(facts)
    yield _version(facts)
    yield from _mode(facts)
    yield from log_checks(facts)
    yield eviction_check(facts)
    yield _headroom(facts)
    yield replication_check(facts)
    yield _clock(facts)


def _latency(facts: Facts) -> Check:
    slow = facts.latency > _SLOW
    pause = seconds_text(flush_pause(DEFAULT_FLUSH_INTERVAL, facts.latency))
    return Check(
        Status.WARN if slow else Status.OK,
        "reachable",
        f"a call takes {facts.latency * 1000:.2f} ms",
        f"replicas flush only every {pause}, and lose nothing by it" if slow else "flushes keep to their interval",
    )


def _version(facts: Facts) -> Check:
    name, version = facts.server
    if not version:
        return not_seen("server", "it does not say what it is", "Redis from 6.2 and Valkey are known to work")
    found = f"{name or 'a Redis'} {version}"
    if name and name not in ("redis", "valkey"):
        return Check(Status.WARN, "server", found, "not tried; Redis from 6.2 and Valkey are known to work")
    if numbers_of(version)[:2] < _OLDEST:
        return Check(Status.FAIL, "server", found, "too old: Redis from 6.2 or any Valkey is needed")
    return Check(Status.OK, "server", found, "a version that is supported")


def _mode(facts: Facts) -> Iterator[Check]:
    if facts.mode == "sentinel":
        yield Check(
            Status.FAIL, "mode", "this is a Sentinel", "it keeps no numbers: use redis+sentinel://host:port/service/db"
        )
    if facts.mode != "cluster":
        return
    if facts.cluster is None:
        yield not_seen("cluster", "CLUSTER INFO is refused", "whether all slots are served is not known")
        return
    state, size = facts.cluster.get("cluster_state", "?"), facts.cluster.get("cluster_size", "?")
    whole = state == "ok"
    yield Check(
        Status.OK if whole else Status.FAIL,
        "cluster",
        f"state {state}, {size} masters; this is one of its nodes",
        "all keys of a namespace are in one slot, on one master"
        if whole
        else "a part of the slots has no master: replicas keep their counts until it is back",
    )


def _headroom(facts: Facts) -> Check:
    subject, info = "memory", facts.info
    if info is None or "used_memory" not in info:
        return not_seen(
            subject, "not allowed to see", "a full store refuses writes; replicas keep their counts meanwhile"
        )
    used, limit = int(info["used_memory"]), int(info.get("maxmemory", 0))
    whole = limit or int(info.get("total_system_memory", 0))
    of_what = "of maxmemory" if limit else "of the machine's memory, no maxmemory"
    if not whole:
        return not_seen(subject, f"{bytes_text(used)} used, no maxmemory", "how much is left is not known")
    share = used / whole
    status = Status.FAIL if share >= _MEMORY_FAIL else Status.WARN if share >= _MEMORY_WARN else Status.OK
    full = "the store refuses writes, and replicas keep their counts" if limit else "the system may end the store"
    return Check(
        status, subject, f"{bytes_text(used)}, {share:.0%} {of_what} ({bytes_text(whole)})",
        "there is room" if status is Status.OK else f"when it is full {full}: give it more",
    )  # fmt: skip


def _clock(facts: Facts) -> Check:
    if facts.ahead is None:
        return not_seen("clock", "not allowed to see", "whether the store's clock is right is not known")
    apart = abs(facts.ahead)
    found = f"{seconds_text(apart)} {'ahead of' if facts.ahead > 0 else 'behind'} this machine's"
    if apart < _CLOCKS_APART + facts.latency:
        return Check(Status.OK, "clock", found, "times in the numbers are right")
    return Check(
        Status.WARN, "clock", found,
        "counts are right, but graphs and alerts that compare the store's times with time() are off by that",
    )  # fmt: skip
