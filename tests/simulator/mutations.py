"""Clauses of the protocol, each of which can be taken out: the simulator must then find a violation."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

from fleetmeter.reader import continuity, names, verdict
from fleetmeter.reader.floors import Floors
from fleetmeter.reader.names import Names
from fleetmeter.reader.packed_layout import PackedLayout
from fleetmeter.reader.reading import Reader
from fleetmeter.reader.snapshot import Snapshot
from fleetmeter.reader.twins import Twins
from fleetmeter.schema.scale import Scale
from fleetmeter.values import amounts
from fleetmeter.values.accumulator import Accumulator
from fleetmeter.values.delta import NOTHING, Delta, merged
from fleetmeter.writer.directory import Directory
from fleetmeter.writer.exchange import Exchange
from fleetmeter.writer.messages import Answer, Call, Outcome
from fleetmeter.writer.protocol import Writer
from fleetmeter.writer.replay import ReplayLog
from fleetmeter_exporter import start
from simulator.scripts import Scripts, sources


@dataclass(frozen=True)
class Mutation:
    """A clause taken out: texts of scripts that are replaced, and methods that are.

    `scripts` holds a script's name, a text that stands in it once, and what stands there instead.
    """

    clause: str
    scripts: tuple[tuple[str, str, str], ...] = ()
    methods: tuple[tuple[Any, str, Callable[..., Any]], ...] = ()

    @contextmanager
    def applied(self) -> Iterator[Scripts]:
        """The scripts, and the library, without the clause."""
        texts = dict(sources())
        for name, old, new in self.scripts:
            if texts[name].count(old) != 1:
                raise ValueError(f"{self.clause}: {old!r} does not stand once in {name}.lua")
            texts[name] = texts[name].replace(old, new)
        with ExitStack() as patches:
            for owner, method, changed in self.methods:
                patches.enter_context(mock.patch.object(owner, method, changed))
            yield Scripts(texts)


_call = Exchange._call


def _call_with_more(self: Exchange, *, drain: bool, goodbye: bool = False, replicas: int = 0) -> int:
    """What was recorded meanwhile joins a batch that is in flight already."""
    waiting = self._writer._in_flight
    if waiting is not None and not self._writer.must_greet:
        more = self._accumulator.drain().freeze(0, 0.0)
        self._writer._in_flight = replace(more, adds=merged([waiting.adds, more.adds]))
        replica: Any = vars(self._writer)["replica"]
        replica.joined(more)
    return _call(self, drain=drain, goodbye=goodbye, replicas=replicas)


def _read_once(self: Reader, known: Any = ()) -> Snapshot:
    """One transaction, whatever families it names."""
    parser = self._parser
    asked = sorted(parser.fields)
    self._estimated_now()
    replies = self._read_together(self._commands(asked))
    parser.see_families(replies[0])
    return self._with_retired(self._with_names(parser.snapshot(asked, replies, {}, returns=self._returns)), known)


def _take_seconds(self: amounts.Seconds) -> float:
    taken = self.pending
    self.flushed += taken
    self.pending = 0
    return taken * Scale.MICRO


def _only_the_newest(self: ReplayLog, number: int, newest: Delta = NOTHING) -> Delta:
    """Only the newest batch, whatever the store lost before it."""
    return newest


def _accept_as_it_is(self: continuity.Continuity, snapshot: Snapshot, _: Floors, before: Any) -> continuity.Shown:
    return _accept(self, snapshot, Floors(), before)


def _stand_at_the_number(self: Writer, row: int, given_up: int, token: str, base: int | None = None) -> int:
    """What the row says of its own losses is not heard."""
    return _stand_at(self, row, self.given_up if row > self.row else given_up, token, base)


def _receive_as_renewed(self: Writer, call: Call, answer: Answer) -> Outcome:
    """An answer that changed nothing in the store counts as if it had renewed the row."""
    identity = self.id
    outcome = _receive(self, call, answer)
    if answer.status in ("already", "behind") and self.id == identity:
        self._answered_us = answer.store_now_us
    return outcome


def _learn_always(self: Directory, asked: Any, told: Any, _: Any) -> None:
    """What an answer tells is put beside what was known, whether that holds or not."""
    _learn(self, asked, told, [question.field for question in asked])


def _as_they_are(_: Twins, snapshot: Snapshot, _beside: Any = ()) -> Snapshot:
    """The layouts of a family, each for itself."""
    return snapshot


def _go_on_as_before(self: PackedLayout, names: Any) -> bool:
    """A list that does not go on from what is known is not read anew: what is known stays."""
    return (not isinstance(names, Exception) and not self._names.goes_on(names)) or _goes_on(self, names)


_goes_on = PackedLayout.goes_on
_learn = Directory.learn
_receive = Writer.receive
_accept = continuity.Continuity._accept
_stand_at = Writer._stand_at
MUTATIONS = (
    Mutation("the epoch check", (("apply", "if string.match(epoch, '^%S*') ~= ARGV[1] then", "if false then"),)),
    Mutation(
        "prev",
        (
            (
                "apply",
                "  if row_number ~= prev or not (fits_any or held == prev_token) then",
                "  if row_number >= seq and seq > prev then",
            ),
        ),
    ),
    Mutation(
        "the token",
        (
            ("apply", "  local fits_any = held == ''", "  held = ''\n  local fits_any = true"),
            ("hello", "local tail = token", "token = ''\nlocal tail = token"),
        ),
    ),
    Mutation("what a row has given up", methods=((Writer, "_stand_at", _stand_at_the_number),)),
    Mutation("hello", (("apply", "if not applied then", "applied = applied or '0'\nif false then"),)),
    Mutation(
        "the retired number",
        (
            ("apply", "local folded = not row and redis.call('HGET', KEYS[2], writer)", "local folded = false"),
            ("hello", " or redis.call('HGET', KEYS[3], writer)", ""),
        ),
    ),
    Mutation("sending what is unacknowledged unchanged", methods=((Exchange, "_call", _call_with_more),)),
    Mutation("zeroes after a wipe", methods=((Accumulator, "send_all_again", lambda self: None),)),
    Mutation("larger of both", methods=((continuity.Continuity, "_accept", _accept_as_it_is),)),
    Mutation("the second read of families", methods=((Reader, "read", _read_once),)),
    Mutation("whole microseconds", methods=((amounts.Seconds, "take", _take_seconds),)),
    Mutation("sending again what the store lost", methods=((ReplayLog, "after", _only_the_newest),)),
    Mutation("the horizon", (("hello", "redis.call('HGET', KEYS[3], '@horizon') or '0'", "'0'"),)),
    Mutation("the horizon after an eviction", (("hello", ", '@horizon', string.format('%.0f', horizon))", ")"),)),
    Mutation("the latest time of a row", (("hello", "redis.call('HGET', KEYS[3], '@clock') or '0'", "'0'"),)),
    Mutation("the time at which a row was renewed", methods=((Writer, "receive", _receive_as_renewed),)),
    Mutation("the token of a served row", methods=((verdict, "_is_foreign", lambda *_: False),)),
    Mutation("the store's start", methods=((start, "went_nowhere", lambda *_: True),)),
    Mutation("judging rows", methods=((continuity, "judge", lambda *_: None),)),
    Mutation(
        "the row before the numbers",
        (
            (
                "apply",
                "redis.call('HSET', KEYS[1], writer, ARGV[5]",
                "redis.pcall('HSET', KEYS[1], writer, ARGV[5]",
            ),
        ),
    ),
    Mutation(
        "the digest of the newest name that is known",
        (
            ("apply", " and string.sub(name, 1, #digest) == digest", ""),
            ("apply", "string.sub(text, 1, #known) == known", "false"),
        ),
    ),
    Mutation("the generation of slots", (("apply", " or layout.generation ~= generation", ""),)),
    Mutation("a new generation with a removal", (("apply", "    layout.generation = layout.digest\n    k", "    k"),)),
    Mutation("zeroes where a block was", (("apply", "string.rep('\\0', 8 * slots)", "''"),)),
    Mutation(
        "a block is used once",
        (
            ("apply", "      chain(layout, 'd ' .. slot)", "      layout.free = tonumber(slot)"),
            ("apply", "local first, index = layout.slots, l", "local first, index = layout.free or layout.slots, l"),
            ("apply", "= first + #series * width,", "= math.max(layout.slots, first + #series * width),"),
        ),
    ),
    Mutation("carrying", (("apply", "local FULL = 2 ^ 62", "local FULL = 2 ^ 64"),)),
    Mutation("what a remainder carries", (("apply", "remainder = '4000'", "remainder = '4'"),)),
    Mutation("names of the right length", (("apply", "redis.pcall('LLEN', names) ~= tonumber(count)", "false"),)),
    Mutation(
        "numbers of the right length",
        (("apply", "redis.pcall('STRLEN', numbers) ~= 8 * room_for(tonumber(slots))", "false"),),
    ),
    Mutation("the text that a conversion has read", (("convert", "current[i] == section.texts[i]", "current[i]"),)),
    Mutation("removing what a conversion adds", (("convert", "    in_parts('HDEL', KEYS[9], taken)\n", ""),)),
    Mutation("adding what a conversion removes", (("convert", "add_blocks(layout, here, slots, nil, 1, #slots)", ""),)),
    Mutation(
        "comparing sums of both formats", methods=((Twins, "join", lambda _self, snapshot, _beside=(): snapshot),)
    ),
    Mutation(
        "keys that are all there",
        (
            ("apply", "unpack(keys, i, last)) ~= last - i + 1", "unpack(keys, i, last)) == -1"),
            ("apply", "if looked_at and", "if false and"),
        ),
    ),
    Mutation("forgetting what was known of other names", methods=((Directory, "learn", _learn_always),)),
    Mutation(
        "the chain of names",
        methods=((Names, "goes_on", lambda *_: True), (names, "_check_chain", lambda *_: None)),
    ),
    Mutation("reading names anew", methods=((PackedLayout, "goes_on", _go_on_as_before),)),
    Mutation(
        "a new generation with a compaction",
        (
            (
                "compact",
                "fresh.generation, fresh.size = fresh.digest",
                "fresh.generation, fresh.size = layout.generation",
            ),
        ),
    ),
    Mutation(
        "where a compaction puts blocks", (("compact", "moved[old], start = start,", "moved[old], start = old,"),)
    ),
    Mutation(
        "what a compaction copies",
        (("compact", "8 * first + 1, 8 * behind)\n  fresh", "1, 8 * (behind - first))\n  fresh"),),
    ),
    Mutation(
        "the state of a compacted layout",
        (("compact", "        keep(fresh)", "        in_parts('RPUSH', fresh.names, fresh.entries)"),),
    ),
    Mutation(
        "the neighbour that a line leaves out", (("apply", "in_common(before, one)", "in_common(series[1], one)"),)
    ),
    Mutation("numbers in one piece", (("apply", "redis.pcall('SETRANGE', layout.numbers, 0, whole)", ""),)),
    Mutation("counting what is dead", (("apply", "layout.dead + slots\n", "layout.dead\n"),)),
)
