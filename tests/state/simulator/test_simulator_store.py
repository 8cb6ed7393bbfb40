"""The simulator's store is a real one's equal: commands one by one, and whole scripts."""

import re
from random import Random
from typing import Any

import pytest
import redis

from fleetmeter.lua import lua_source
from fleetmeter.schema.keys import STATE_FORMAT
from fleetmeter.schema.packing import FRACTION, Shape
from fleetmeter.values.delta import Delta, Removal
from fleetmeter.writer.directory import Directory
from fleetmeter.writer.messages import Answer
from fleetmeter.writer.store import answer_of
from fleetmeter.writer.wire import Body, encode
from simulator.bitfield import CommandError
from simulator.hashes import Hashes, Value
from simulator.scripts import Scripts, sources
from support.store import StoreAddress

AMOUNTS = (
    "1",
    "0",
    "-3",
    "07",
    "-0",
    "x",
    "",
    "1.5",
    "0.25",
    "9223372036854775807",
    "-9223372036854775808",
    "1e3",
)


TOO_LARGE = {amount for amount in AMOUNTS if len(amount) > 9}


def commands(random: Random, keys: list[str]) -> tuple[Any, ...]:
    """A command of those that the scripts use."""
    key, name, amount = random.choice(keys), random.choice("ab"), random.choice(AMOUNTS)
    return random.choice(
        [
            ("HGET", key, name), ("HGETALL", key), ("HKEYS", key), ("HLEN", key), ("HEXISTS", key, name),
            ("EXISTS", key), ("HSET", key, name, amount), ("HSET", key, "b", amount, "a", "1"),
            ("HSETNX", key, name, amount), ("HDEL", key, name), ("HDEL", key, "a", "b"), ("DEL", key),
            ("HMGET", key, "a", "c", "b"), *[("HINCRBY", key, name, amount)] * 4, ("HINCRBYFLOAT", key, name, amount),
        ]
    )  # fmt: skip


SLOTS = ("0", "1", "-1", "7", "07", "x", "", "4611686018427387904", "-4611686018427387904", "9223372036854775808")


def of_slots(random: Random, keys: list[str]) -> tuple[Any, ...]:
    """A command on a string or a list, or one on the wrong kind of key."""
    string, names = keys if random.random() < 0.95 else keys[::-1]
    operations = []
    for _ in range(random.randrange(1, 4)):
        slot, number = f"#{random.randrange(5)}", random.choice(SLOTS)
        if random.random() < 0.5:
            operations += ["OVERFLOW", random.choice(("FAIL", "FAIL", "WRAP"))]
        operations += random.choice(
            (["INCRBY", "i64", slot, number], ["SET", "i64", slot, number], ["GET", "i64", slot]),
        )
    place = random.randrange(-4, 5)
    return random.choice(
        [
            *[("BITFIELD", string, *operations)] * 4, ("GET", string), ("STRLEN", string),
            ("SETRANGE", string, random.randrange(60), random.choice(("", "\0", "\0\0\0"))),
            ("DEL", random.choice(keys)), ("EXISTS", string),
            ("RPUSH", names, "a"), ("RPUSH", names, "b", "c"), ("LLEN", names), ("LINDEX", names, place),
            ("LRANGE", names, place, random.randrange(-4, 5)), ("HGET", names, "a"), ("HSET", string, "a", "b"),
        ]
    )  # fmt: skip


def plain(reply: Any) -> Any:
    """A reply as the double gives it."""
    if isinstance(reply, dict):
        return [text.decode() for pair in reply.items() for text in pair]
    if isinstance(reply, (list, tuple)):
        return [plain(item) for item in reply]
    return reply.decode("latin-1") if isinstance(reply, bytes) else int(reply) if isinstance(reply, bool) else reply


def test_every_command_replies_as_a_real_store_does(store: StoreAddress) -> None:
    """Random sequences of commands: the same replies, the same errors, the same end."""
    client, double, random = store.client(), Hashes(), Random(1)
    keys = [store.keys.families, store.keys.gauges]
    for _ in range(2000):
        name, *arguments = commands(random, keys)
        if name == "HINCRBYFLOAT" and {arguments[2], double.hash(arguments[0]).get(arguments[1])} & TOO_LARGE:
            continue  # long doubles, which no whole number of ours is added to
        try:
            expected = plain(client.execute_command(name, *arguments))
        except redis.ResponseError as error:
            with pytest.raises(CommandError, match=re.escape(str(error))):
                double.execute(name, *arguments)
            continue
        if name == "HINCRBYFLOAT":
            expected = str(plain(client.hget(*arguments[:2])))
        assert (name, arguments, double.execute(name, *arguments)) == (name, arguments, expected)
    client.close()


def test_slots_and_lists_are_as_in_a_real_store(store: StoreAddress) -> None:
    """Random sequences of commands on strings and lists: the same replies, the same errors, the same bytes."""
    client, double, random = store.client(), Hashes(), Random(3)
    keys = [store.keys.families, store.keys.gauges]
    errors = 0
    for _ in range(3000):
        name, *arguments = of_slots(random, keys)
        try:
            expected = plain(client.execute_command(name, *arguments))
        except redis.ResponseError as error:
            errors += 1
            with pytest.raises(CommandError, match=re.escape(str(error))):
                double.execute(name, *arguments)
            continue
        found = plain(double.execute(name, *arguments))
        assert (name, arguments, found) == (name, arguments, expected)
    assert errors > 100
    client.close()


def masked(texts: Any) -> list[str]:
    """Texts without the time, which no two stores share."""
    return [re.sub(r"\d{16}", "T", str(text)) for text in texts]


def test_every_script_replies_as_in_a_real_store(store: StoreAddress) -> None:
    """Random calls of hello, apply, fold and compact: the same replies, and the same state after each."""
    client, double, scripts, random = store.client(), Hashes(), Scripts(sources()), Random(2)
    keys, directory = store.keys, Directory()
    statuses: set[str] = set()
    real = {name: client.register_script(lua_source(name)) for name in sources()}
    writers = ["u", "v", "w"]
    for _ in range(400):
        seconds, micros = client.time()
        double.now_us = seconds * 10**6 + micros
        writer = random.choice(writers)
        name = random.choice(("hello", "apply", "apply", "apply", "apply", "fold", "compact"))
        if name == "hello":
            names = [keys.writers, keys.writer(writer), keys.retired]
            heard = random.choice(("0", "1", str(double.now_us)))
            arguments = [writer, "E", str(STATE_FORMAT), heard, random.choice(("", "E", "D E F")), "pid", "1"]
        elif name == "apply":
            body = encode(content(random), keys, directory.of("everybody"))
            prev = random.randrange(4)
            names = list(body.keys)
            tokens = random.choice(("t1", "t1", "t2", "")), random.choice(("t1", "t1", "t2", ""))
            head = [
                random.choice("EEEEEF"),
                writer,
                prev,
                tokens[0],
                prev + random.randrange(3),
                tokens[1],
                0,
                random.choice(("alive", "alive", "goodbye")),
                random.choice((2, 9)),
            ]
            arguments = [*map(str, head), *body.arguments]
        elif name == "compact":
            names = [keys.writers, *keys.packed("p:1"), *keys.packed("q:1")]
            least, share = random.choice((("0", "0"), ("1", "1")))
            arguments = [random.choice("EEEF"), f"r{random.random()}", least, share, random.choice("29")]
        else:
            names = [keys.writers, keys.retired, keys.gauges, keys.removed, keys.writer(writer)]
            farewell, grace, silence = (random.choice(("1", "99999999")) for _ in range(3))
            arguments = ["E", farewell, grace, silence, "99999999", "99999999"]
            arguments += ["1", writer, "1", '["g","x",[]]', random.choice(("sum", "max", "all")), "0", "0"]
        reply = real[name](keys=names, args=arguments)
        if name == "apply":  # the digests of names depend on the time at which a layout began
            answer = answer_of(reply)
            double.now_us = answer.store_now_us
            statuses.add(answer.status)
            learn(directory, body, answer, random)
        if name == "compact":
            statuses.add(plain(reply)[0])
        assert masked(scripts.run(name, double, names, arguments)) == masked(plain(reply))
        for key in {*names, keys.families, keys.gauges}:
            assert content_of(client, key) == masked(plain_value(double.value(key))), key
    client.close()
    assert statuses == {"applied", "already", "behind", "epoch", "unknown", "stale", "compacted", "nothing"}


def learn(directory: Directory, body: Body, answer: Answer, random: Random) -> None:
    """What a writer learns of slots; now and then it misses that what it knows is out of date."""
    if answer.status == "applied":
        directory.learn(body.asked, answer.learned, body.proven)
    elif answer.status == "stale" and random.random() < 0.8:
        directory.forget(answer.stale)


def content_of(client: Any, key: str) -> list[str]:
    """What a key holds in a real store."""
    kind = client.type(key)
    if kind == b"string":
        return masked([plain(client.get(key))])
    return masked(plain(client.lrange(key, 0, -1)) if kind == b"list" else sorted(plain(client.hgetall(key))))


def plain_value(value: Value | None) -> list[str]:
    """The same of what the double holds."""
    if isinstance(value, bytes):
        return [plain(value)]
    return list(value) if isinstance(value, tuple) else sorted(text for pair in (value or {}).items() for text in pair)


def content(random: Random) -> Delta:
    """Some batch: definitions, gauges, removals, amounts that are whole and others."""
    pairs = random.choice(('["a","0.1"]', '["b","sum"]', '["c","+Inf"]'))
    adds: dict[str, dict[str, float]] = {
        "f:1": {f'["{random.choice("abc")}"]': random.choice((1, 0, 2**40, 0.5))},
        "h:1": {pairs: 3},
    }
    if random.random() < 0.7:
        amounts = (0, 1, -1, 10**36, 10**18 - 1, 4 * 10**18 * FRACTION - 1)
        adds["p:1"] = {f'["{letter}"]': random.choice(amounts) for letter in random.sample("abcd", 2)}
        adds["q:1"] = {f'["{letter}","{part}"]': 7 for letter in random.sample("ab", 1) for part in ("sum", "0.1")}
    return Delta(
        adds=adds,
        has_parts=frozenset(("h:1", "q:1")),
        shapes={"p:1": (Shape(3, ("",)),), "q:1": (Shape(2, ("sum", random.choice(("0.1", "0.2")), "+Inf")),)},
        definitions={"f:1": random.choice(('{"a":1}', '{"a":2}'))} if random.random() < 0.5 else {},
        removals=(Removal("f:1", random.choice(('["a"]', "[null]")), has_parts=False, twin="p:1"),)
        if random.random() < 0.2
        else (),
        unset=('["g","x",[]]',) if random.random() < 0.1 else (),
        gauges={'["g","x",[]]': f"{random.randrange(1, 9)} 1.5"} if random.random() < 0.5 else {},
        exemplars={'f:1 ["a"]': f"{random.randrange(1, 9)} x"} if random.random() < 0.3 else {},
    )
