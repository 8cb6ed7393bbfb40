"""The simulator's store is a real one's equal: commands one by one, and whole scripts."""

import re
from random import Random
from typing import Any

import pytest
import redis

from fleetmeter.lua import lua_source
from fleetmeter.schema.keys import STATE_FORMAT
from fleetmeter.values.delta import Delta, Removal
from fleetmeter.writer.wire import encode
from simulator.hashes import CommandError, Hashes
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


def plain(reply: Any) -> Any:
    """A reply as the double gives it."""
    if isinstance(reply, dict):
        return [text.decode() for pair in reply.items() for text in pair]
    if isinstance(reply, list):
        return [plain(item) for item in reply]
    return reply.decode() if isinstance(reply, bytes) else int(reply) if isinstance(reply, bool) else reply


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


def masked(texts: Any) -> list[str]:
    """Texts without the time, which no two stores share."""
    return [re.sub(r"\d{16}", "T", str(text)) for text in texts]


def test_every_script_replies_as_in_a_real_store(store: StoreAddress) -> None:
    """Random calls of hello, apply and fold: the same replies, and the same state after each."""
    client, double, scripts, random = store.client(), Hashes(), Scripts(sources()), Random(2)
    keys = store.keys
    real = {name: client.register_script(lua_source(name)) for name in sources()}
    writers = ["u", "v", "w"]
    for _ in range(400):
        seconds, micros = client.time()
        double.now_us = seconds * 10**6 + micros
        writer = random.choice(writers)
        name = random.choice(("hello", "apply", "apply", "apply", "apply", "fold"))
        if name == "hello":
            names = [keys.writers, keys.writer(writer), keys.retired]
            heard = random.choice(("0", "1", str(double.now_us)))
            arguments = [writer, "E", str(STATE_FORMAT), heard, random.choice(("", "E", "D E F")), "pid", "1"]
        elif name == "apply":
            body = encode(content(random), keys)
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
        else:
            names = [keys.writers, keys.retired, keys.gauges, keys.removed, keys.writer(writer)]
            farewell, grace, silence = (random.choice(("1", "99999999")) for _ in range(3))
            arguments = ["E", farewell, grace, silence, "99999999", "99999999"]
            arguments += ["1", writer, "1", '["g","x",[]]', random.choice(("sum", "max", "all")), "0", "0"]
        expected = masked(plain(real[name](keys=names, args=arguments)))
        assert masked(scripts.run(name, double, names, arguments)) == expected
        for key in {*names, keys.families, keys.gauges}:
            stored = plain(client.hgetall(key))
            found = double.execute("HGETALL", key)
            assert isinstance(found, list)
            assert masked(sorted(map(str, found))) == masked(sorted(stored)), key
    client.close()


def content(random: Random) -> Delta:
    """Some batch: definitions, gauges, removals, amounts that are whole and others."""
    pairs = random.choice(('["a","0.1"]', '["b","sum"]', '["c","+Inf"]'))
    return Delta(
        adds={"f:1": {f'["{random.choice("abc")}"]': random.choice((1, 0, 2**40, 0.5))}, "h:1": {pairs: 3}},
        has_parts=frozenset(("h:1",)),
        definitions={"f:1": random.choice(('{"a":1}', '{"a":2}'))} if random.random() < 0.5 else {},
        removals=(Removal("f:1", random.choice(('["a"]', "[null]")), has_parts=False),)
        if random.random() < 0.2
        else (),
        unset=('["g","x",[]]',) if random.random() < 0.1 else (),
        gauges={'["g","x",[]]': f"{random.randrange(1, 9)} 1.5"} if random.random() < 0.5 else {},
        exemplars={'f:1 ["a"]': f"{random.randrange(1, 9)} x"} if random.random() < 0.3 else {},
    )
