"""Checks of whether the server keeps what it has acknowledged: its logs, its eviction, its store replicas."""

import re
from collections.abc import Iterator
from typing import Any

from fleetmeter.cli.doctor.check import Check, Status, not_seen
from fleetmeter.cli.doctor.facts import Facts, numbers_of
from fleetmeter.cli.printing import bytes_text, counted

_TORN_LOG_SEEN_IN = (7, 0)
_TORN_LOG_MENDED_IN = (9, 1, 2)
"""Redis 7.0, and Valkey before 9.1.2, may have half a script in a torn log and execute that half after a restart
(valkey-io/valkey#4342)."""
_REPLICA_LAG = 10
"""Seconds without a word from a store replica until it counts as lost; the default of min-replicas-max-lag."""

_ASK_WITH_ANOTHER_USER = "run doctor as a user that may call INFO and CONFIG GET to know"

_FSYNC = {
    "always": "a crash loses nothing that was acknowledged",
    "everysec": "a crash takes the store back by up to 1 s, which living replicas send again",
    "no": "a crash takes the store back by as much as the system had not written, often 30 s; "
    "living replicas send it again, those that ended cannot",
}


def log_checks(facts: Facts) -> Iterator[Check]:
    """What a restart, a crash or a power cut does to the counts."""
    yield _persistence(facts)
    yield from _torn_log(facts)


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
    name, version = facts.server
    numbers = numbers_of(version)
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


def eviction_check(facts: Facts) -> Check:
    """Whether counts may vanish when memory is short."""
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


def replication_check(facts: Facts) -> Check:
    """What a failover would lose, and whether the server takes writes at all."""
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
