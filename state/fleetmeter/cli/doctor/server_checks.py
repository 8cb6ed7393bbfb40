"""Checks of the server: what its version, settings and condition mean for the numbers that it keeps."""

import re
from collections.abc import Iterator
from typing import Any

from fleetmeter.cli.doctor.check import Check, Status, not_seen
from fleetmeter.cli.doctor.facts import Facts
from fleetmeter.cli.printing import bytes_text, counted, seconds_text
from fleetmeter.settings import DEFAULT_FLUSH_INTERVAL
from fleetmeter.writer.pace import flush_pause

_OLDEST = (6, 2)
_TORN_LOG_SEEN_IN = (7, 0)
_TORN_LOG_MENDED_IN = (9, 1, 2)
"""Redis 7.0, and Valkey before 9.1.2, may have half a script in a torn log and execute that half after a restart
(valkey-io/valkey#4342)."""
_SLOW = 0.05
"""Seconds. If calls are slower, a replica flushes less than once a second (see `pace.STRETCH`)."""
_CLOCKS_APART = 2.0
"""Seconds. If clocks differ by more, a graph that compares the store's times with Prometheus' is visibly wrong."""
_MEMORY_WARN, _MEMORY_FAIL = 0.75, 0.95
_REPLICA_LAG = 10
"""Seconds without a word from a store replica until it counts as lost; the default of min-replicas-max-lag."""

_ASK_WITH_ANOTHER_USER = "run doctor as a user that may call INFO and CONFIG GET to know"


def server_checks(facts: Facts) -> Iterator[Check]:
    """All findings about the server, in the order in which they are shown."""
    yield _latency(facts)
    yield _version(facts)
    yield from _mode(facts)
    yield _persistence(facts)
    yield from _torn_log(facts)
    yield _eviction(facts)
    yield _headroom(facts)
    yield _replication(facts)
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
    name, version = _server(facts)
    if not version:
        return not_seen("server", "it does not say what it is", "Redis from 6.2 and Valkey are known to work")
    found = f"{name or 'a Redis'} {version}"
    if name and name not in ("redis", "valkey"):
        return Check(Status.WARN, "server", found, "not tried; Redis from 6.2 and Valkey are known to work")
    if _numbers(version)[:2] < _OLDEST:
        return Check(Status.FAIL, "server", found, "too old: Redis from 6.2 or any Valkey is needed")
    return Check(Status.OK, "server", found, "a version that is supported")


def _server(facts: Facts) -> tuple[str, str]:
    """Name and version. A Valkey may call itself Redis in HELLO; INFO has its true name."""
    info = facts.info or {}
    if "valkey_version" in info:
        return "valkey", str(info["valkey_version"])
    return facts.greeting.get("server", ""), facts.greeting.get("version", "") or str(info.get("redis_version", ""))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall(r"\d+", version)[:3])


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


def _persistence(facts: Facts) -> Check:
    subject = "persistence"
    info = facts.info or {}
    broken = [
        name
        for name, last in (("AOF", "aof_last_write_status"), ("RDB", "rdb_last_bgsave_status"))
        if info.get(last, "ok") != "ok"
    ]
    if broken:
        return Check(
            Status.FAIL, subject, f"the last write to {' and '.join(broken)} failed",
            "the store may refuse writes until it succeeds; look at its disk and its log",
        )  # fmt: skip
    if facts.config is None:
        if info.get("aof_enabled"):
            return Check(Status.OK, subject, "appendonly (how often it is written is not visible)", _FSYNC["everysec"])
        return not_seen(subject, "not allowed to see", f"a restart may lose counts; {_ASK_WITH_ANOTHER_USER}")
    appendfsync, save = facts.config.get("appendfsync", ""), facts.config.get("save", "")
    if facts.config.get("appendonly") == "yes":
        status = Status.WARN if appendfsync == "no" else Status.OK
        return Check(status, subject, f"appendonly, appendfsync {appendfsync}", _FSYNC.get(appendfsync, ""))
    if save:
        return Check(
            Status.WARN, subject, f'snapshots only (save "{save}")',
            "a crash takes the store back by minutes; living replicas send again up to one hour or 8 MiB each; "
            "fleetmeter_lost_batches_total counts what they could not",
        )  # fmt: skip
    return Check(
        Status.WARN, subject, "none (appendonly no, no save)",
        "a restart loses every count: replicas go on in a new epoch",
    )  # fmt: skip


def _torn_log(facts: Facts) -> Iterator[Check]:
    subject, config = "torn log", facts.config
    name, version = _server(facts)
    numbers = _numbers(version)
    flawed = numbers[:2] == _TORN_LOG_SEEN_IN if name == "redis" else name == "valkey" and numbers < _TORN_LOG_MENDED_IN
    logs = config.get("appendonly") == "yes" if config is not None else (facts.info or {}).get("aof_enabled")
    if not (flawed and logs) or (config or {}).get("aof-load-truncated") == "no":
        return
    meaning = (
        "after a power cut it may execute half a flush twice: set aof-load-truncated no, and if it then refuses to "
        f"start, run {name}-check-aof --fix"
    )
    if config is None:
        yield not_seen(
            subject, f"appendonly on {name} {version}, aof-load-truncated not visible", f"unless it is no, {meaning}"
        )
    else:
        yield Check(Status.WARN, subject, f"appendonly on {name} {version}, aof-load-truncated yes", meaning)


_FSYNC = {
    "always": "a crash loses nothing that was acknowledged",
    "everysec": "a crash takes the store back by up to 1 s, which living replicas send again",
    "no": "a crash takes the store back by as much as the system had not written, often 30 s; "
    "living replicas send it again, those that ended cannot",
}


def _eviction(facts: Facts) -> Check:
    subject = "eviction"
    policy = (facts.config or {}).get("maxmemory-policy") or (facts.info or {}).get("maxmemory_policy")
    if policy is None:
        return not_seen(
            subject, "not allowed to see", f"with any policy but noeviction counts may vanish; {_ASK_WITH_ANOTHER_USER}"
        )
    if policy != "noeviction":
        return Check(
            Status.FAIL, subject, f"maxmemory-policy {policy}",
            "counts may vanish when memory is short: set maxmemory-policy noeviction",
        )  # fmt: skip
    evicted = int((facts.info or {}).get("evicted_keys", 0))
    if evicted:
        return Check(
            Status.WARN, subject, f"noeviction now, but {counted(evicted, 'key')} evicted since the server started",
            "counts may have vanished then",
        )  # fmt: skip
    return Check(Status.OK, subject, "noeviction", "the store deletes no counts when its memory is full")


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


def _replication(facts: Facts) -> Check:
    subject, info = "replication", facts.info or {}
    role = facts.greeting.get("role") or info.get("role")
    if role in ("replica", "slave"):
        return Check(
            Status.FAIL, subject, "this is a store replica", "it refuses writes: replicas must write to its master"
        )
    if "connected_slaves" not in info:
        return not_seen(subject, "not allowed to see", "what a failover would lose is not known")
    replicas = [info[name] for name in info if re.fullmatch(r"slave\d+", name)]
    wanted = int((facts.config or {}).get("min-replicas-to-write", 0))
    good = [replica for replica in replicas if _follows(replica)]
    if len(good) < wanted:
        return Check(
            Status.FAIL, subject,
            f"{len(good)} of {len(replicas)} store replicas follow, min-replicas-to-write {wanted}",
            "the store refuses writes until enough store replicas follow; replicas keep their counts",
        )  # fmt: skip
    if not replicas:
        return Check(Status.OK, subject, "no store replica", "if this machine is lost, so are the counts")
    behind = max(int(info.get("master_repl_offset", 0)) - int(replica.get("offset", 0)) for replica in replicas)
    lag = bytes_text(max(0, behind))
    found = f"{counted(len(replicas), 'store replica')}, {lag} behind, min-replicas-to-write {wanted}"
    if len(good) < len(replicas):
        return Check(
            Status.WARN, subject, found,
            "a store replica does not follow: a failover to it would take the store back; see its log",
        )  # fmt: skip
    return Check(
        Status.OK,
        subject,
        found,
        "a failover takes the store back by as much as a store replica lags; living replicas send it again",
    )


def _follows(replica: Any) -> bool:
    return isinstance(replica, dict) and replica.get("state") == "online" and int(replica.get("lag", 0)) <= _REPLICA_LAG


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
