"""Checks of a namespace: what is stored in it, and what that means for its numbers."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import redis
from redis.exceptions import MovedError

from fleetmeter.cli.doctor.check import Check, Status, not_seen
from fleetmeter.cli.doctor.permissions import NOBODY, Permissions
from fleetmeter.cli.doctor.price_checks import price_checks
from fleetmeter.cli.printing import bytes_text, counted, seconds_text, time_text
from fleetmeter.cli.selection import series_of
from fleetmeter.connection.client import translated
from fleetmeter.errors import StateError, StoreError, StoreRefused
from fleetmeter.reader.families import Family, legible_families, types_left_out
from fleetmeter.reader.life import Life
from fleetmeter.reader.parser import is_of_read
from fleetmeter.reader.reading import Reader
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.schema.keys import Keys, split_family_field
from fleetmeter.schema.rows import Epoch

_STRAYS = 5
"""Problems of the state that are shown one by one."""


def read_or_refusal(reader: Reader) -> Snapshot | StateError | StoreError:
    """A snapshot, or why there is none. Raises `StoreUnreachable`."""
    try:
        return reader.read([NOBODY])  # a writer to ask for makes it look into `retired`, as some scrapes do
    except (StateError, StoreRefused) as error:
        return error


def permission_checks(
    writer: Permissions, problem: str | None, read: Snapshot | StateError | StoreError, unreadable: Sequence[str]
) -> Iterator[Check]:
    """Whether this user can write, read, or both. If it can do neither, that is a failure.

    `problem` is what `rehearse` returned, `unreadable` what `unreadable_once_packed` did.
    """
    worst = Status.FAIL if isinstance(read, StoreError) and writer.refused else Status.WARN
    if writer.missing:
        yield Check(
            Status.FAIL, "as a writer", f"the server does not know: {', '.join(writer.missing)}",
            "replicas cannot record as any user: stop renaming or disabling these commands (rename-command), "
            "or use another server",
        )  # fmt: skip
    elif writer.refused:
        yield Check(
            worst, "as a writer", f"not allowed: {', '.join(writer.refused)}",
            "replicas cannot record as this user; an exporter's user needs none of that",
        )  # fmt: skip
    elif writer.unclear:
        yield not_seen("as a writer", f"not clear: {', '.join(writer.unclear)}", "everything else is allowed")
    elif problem:
        yield Check(
            Status.FAIL, "as a writer", f"tried, and it did not work: {problem}",
            "replicas keep their counts; they cannot hand them over until this is repaired",
        )  # fmt: skip
    else:
        tried = "not tried, as this user may not call MULTI and EXEC" if problem is None else "and was tried"
        yield Check(Status.OK, "as a writer", f"everything is allowed, {tried}", "replicas can record as this user")
    left_out = [one for one in read.problems if is_of_read(one)] if isinstance(read, Snapshot) else []
    if left_out:
        yield Check(
            Status.FAIL, "as an exporter", "; ".join(map(str, left_out)),
            "the gauges of these reads are not served, and fleetmeter_up is 0, until the store answers them",
        )  # fmt: skip
    elif not isinstance(read, StoreError) and unreadable:
        yield Check(
            Status.WARN, "as an exporter", f"not allowed: {', '.join(unreadable)}",
            "an exporter can read as this user until a replica packs its numbers, which is the default; then it "
            "cannot: renew the user from users.acl",
        )  # fmt: skip
    elif not isinstance(read, StoreError):
        yield Check(Status.OK, "as an exporter", "everything is allowed", "an exporter can read as this user")
    elif read.reason == "auth":
        yield Check(worst, "as an exporter", str(read), "an exporter cannot serve as this user")
    else:
        elsewhere = isinstance(read.__cause__, MovedError)
        yield Check(
            Status.FAIL, "as an exporter", str(read),
            "another node of the cluster has this namespace: use redis+cluster://host:port"
            if elsewhere
            else "the numbers cannot be read; replicas keep their counts if they cannot write either",
        )  # fmt: skip


def state_checks(
    read: Snapshot | StateError | StoreError, size: int | None, keys: Keys, life: Life | None
) -> Iterator[Check]:
    """All findings about the namespace of these keys.

    `size` is its size in bytes, None if that is not known. `life` says since when the store runs.
    """
    if isinstance(read, StateError):
        yield Check(
            Status.FAIL, "state", str(read), "the exporter shows fleetmeter_up 0 until this is repaired, or reset"
        )
        return
    if isinstance(read, StoreError):
        yield not_seen("state", "not allowed to see", "what the namespace holds is not known")
        return
    if read.epoch is None and read.rows:
        yield Check(
            Status.FAIL, "state", "there are writers but no epoch: it was deleted or evicted",
            "exporters hold what they served (epoch_missing) until a replica says hello and writes it again",
        )  # fmt: skip
        return
    if read.epoch is None:
        yield Check(Status.OK, "state", "nothing has been recorded yet", "the first replica that records begins it")
        return
    age = (read.taken_us - read.epoch.birth_us) / 1e6
    yield Check(
        Status.OK, "state", f"format {read.epoch.format}, counting since {time_text(read.epoch.birth_us)}",
        f"totals cover the last {seconds_text(max(0.0, age))}",
    )  # fmt: skip
    families, problems = legible_families(read)
    yield from _strays([one for one in problems if not is_of_read(one)], keys)
    yield _writers(read)
    yield from _formats(read)
    yield _holds(read, read.epoch, life)
    given_up = sum(row.given_up for row in read.rows.values())
    yield Check(
        Status.WARN if given_up else Status.OK, "lost batches", str(given_up),
        "the store lost batches that it had acknowledged, and no writer could send them again: totals are too low"
        if given_up
        else "no writer in the state has given up a batch",
    )  # fmt: skip
    yield _families(read, families, size)
    yield from price_checks(families)


def _strays(problems: Sequence[StateError], keys: Keys) -> Iterator[Check]:
    """Each part of the state that cannot be read, and the command that removes it."""
    for problem in problems[:_STRAYS]:
        family = split_family_field(problem.key.removeprefix("family:"))[0]
        what = f"the family {family} is" if problem.key.startswith("family:") else "that part is"
        remedy = "delete the field with HDEL" if problem.reason != "wrong_type" else "delete the key with DEL"
        yield Check(
            Status.FAIL, "state", str(problem),
            f"{what} not served, and fleetmeter_up is 0, until this is repaired: {remedy}; "
            f"the key is {keys.of_problem(problem.key)}",
        )  # fmt: skip
    if len(problems) > _STRAYS:
        yield Check(
            Status.FAIL, "state", f"{len(problems) - _STRAYS} more such problems", "repair the first, then look again"
        )


def _writers(snapshot: Snapshot) -> Check:
    states = Counter(
        "ended" if row.said_goodbye else "alive" if row.alive(snapshot.taken_us) else "silent"
        for row in snapshot.rows.values()
    )
    found = ", ".join(f"{states[state]} {state}" for state in ("alive", "silent", "ended"))
    if states["silent"]:
        meaning = "silent ones were killed, or cannot reach the store: what they had not handed over is missing"
    elif states["alive"]:
        meaning = "every replica hands over its counts"
    else:
        meaning = "nobody records at present"
    return Check(Status.WARN if states["silent"] else Status.OK, "writers", found, meaning)


def _formats(snapshot: Snapshot) -> Iterator[Check]:
    """Whether numbers of both formats are written: then a fleet is on its way from one to the other."""
    living = [row for row in snapshot.rows.values() if row.applied and row.alive(snapshot.taken_us)]
    writing_fields = sum(not row.packs for row in living)
    if 0 < writing_fields < len(living):
        yield Check(
            Status.OK, "numbers", f"{writing_fields} of {counted(len(living), 'living writer')} keep them as fields",
            "an older version does, and FLEETMETER_NUMBERS=fields; both formats are added up, and fields are packed "
            "once no living writer keeps them. An exporter from before packed numbers leaves packed families out",
        )  # fmt: skip


def _holds(snapshot: Snapshot, epoch: Epoch, life: Life | None) -> Check:
    """Whether the state gives exporters a reason to hold. What they served before cannot be seen from here."""
    subject, ask = "held scrapes", "ask an exporter: fleetmeter_snapshot_held_reason, and its log, say why it holds"
    if life is None:
        return not_seen(
            subject, "the server was a store replica once, or does not say since when it runs",
            f"so nobody can say from here whether it lost something that exporters served; {ask}",
        )  # fmt: skip
    if life.started_us <= epoch.birth_us:
        return Check(
            Status.OK,
            subject,
            "the store has run since before counting began",
            f"no restart took it back; if somebody loaded older data into it, {ask}",
        )
    age_us = max(0, snapshot.taken_us - life.started_us)  # INFO's whole seconds may name a start that is yet to come
    started = f"the store started {seconds_text(age_us / 1e6)} ago"
    counting = [row for row in snapshot.rows.values() if not row.said_goodbye]
    lagging = [writer for writer, row in snapshot.rows.items() if row.heartbeat_us < life.started_us]
    lagging = [writer for writer in lagging if not snapshot.rows[writer].said_goodbye]
    if not lagging:
        return Check(
            Status.OK, subject, f"{started}, and every writer that has not ended was heard from since",
            "they have sent again what it lost; only counts of writers that ended may be missing",
        )  # fmt: skip
    return Check(
        Status.WARN, subject, f"{started}; {len(lagging)} of {counted(len(counting), 'writer')} not heard from since: "
        f"{', '.join(sorted(lagging)[:3])}",
        "if it lost their counts, exporters show what they last served for up to --hold, and then the larger of "
        f"served and stored, until these writers send again; {ask}",
    )  # fmt: skip


def _families(snapshot: Snapshot, families: Sequence[Family], size: int | None) -> Check:
    series = sum(series_of(family.samples) for family in families)
    unknown = types_left_out(snapshot)
    found = f"{counted(len(families) + len(unknown), 'family', 'families')}, {series:,} series"
    if size is not None:
        found += f", about {bytes_text(size)}"
    if unknown:
        return Check(
            Status.WARN,
            "families",
            found,
            f"a later version of fleetmeter made these, and this one does not serve them: {', '.join(unknown)}",
        )
    return Check(Status.OK, "families", found, "each scrape reads all of it")


def state_size(client: redis.Redis, keys: Keys, snapshot: Snapshot) -> int:
    """Bytes that the namespace takes without the prompt cache, as MEMORY USAGE says.

    If this user may not call that, it is the length of all texts. Raises `StoreError`.
    """
    hashes = {keys.gauges: snapshot.gauges, **{keys.family(name): raw for name, raw in snapshot.numbers.items()}}
    try:
        with translated():
            pipeline: Any = client.pipeline(transaction=False)
            packed = (key for name in snapshot.numbers for key in keys.packed(name))
            for key in (keys.writers, keys.families, keys.exemplars, keys.returned, *hashes, *packed):
                pipeline.memory_usage(key)
            return sum(size or 0 for size in pipeline.execute())
    except StoreRefused:
        return sum(len(name) + len(value) for raw in hashes.values() for name, value in raw.items())
