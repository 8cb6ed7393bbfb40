"""Gauges that are read and not recorded: of the same instant as the counts, open to others, harmless when broken."""

import re
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from fleetmeter.errors import StateError
from fleetmeter.reader.families import families_of, legible_families
from fleetmeter.reader.gauge_read import GROUP, GaugeRead, registered
from fleetmeter.reader.reading import Reader
from fleetmeter.reader.sample import Sample
from fleetmeter.schema.definition import Definition
from fleetmeter_app.cache_gauges import HIT_RATE, SIZE
from support.node import Node
from support.scraping import FixedState
from support.store import StoreAddress

GUIDE = (Path(__file__).parents[3] / "docs" / "gauge_reads.md").read_text()
QUEUE = Definition.of("queue_length", "gauge", "Jobs that wait.", "", ("queue",), (), "max")
ORDERS = Definition.of("orders", "counter", "Orders.", "", (), (), "")
ACL = Path(__file__).parents[3] / "state" / "users.acl"


@pytest.fixture
def example() -> GaugeRead:
    """The one that the guide shows."""
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL) if "GaugeRead(" in block]
    names: dict[str, Any] = {}
    exec(code, names)
    read = names["QUEUE_LENGTH"]
    assert isinstance(read, GaugeRead)
    return read


@pytest.fixture
def queues(store: StoreAddress, client: Any) -> Iterator[StoreAddress]:
    """A gauge that a replica declared, and two queues."""
    with FixedState(store) as state:
        state.family(QUEUE)
        state.family(ORDERS, {(): 3})
        client.zadd(store.keys.beside("queue-mail"), {"a": 1, "b": 2})
        yield store


def read(store: StoreAddress, *reads: GaugeRead) -> tuple[dict[str, list[Sample]], list[StateError]]:
    """The samples of each family that can be read, and what is wrong."""
    reader = Reader(store.url, store.namespace, reads=reads)
    try:
        families, problems = legible_families(reader.read())
    finally:
        reader.close()
    return {family.definition.name: family.samples for family in families}, problems


def test_the_guides_example_works(queues: StoreAddress, example: GaugeRead) -> None:
    """What its commands find is shown under its labels."""
    found, problems = read(queues, example)
    assert found["queue_length"] == [Sample("", (("queue", "mail"),), 2.0), Sample("", (("queue", "video"),), 0.0)]
    assert not problems


def test_the_gateways_reads_are_registered() -> None:
    """An installed package's entry points are found by whoever reads, without importing the gateway."""
    assert {point.name for point in entry_points(group=GROUP)} >= {SIZE.family, HIT_RATE.family}
    assert {SIZE, HIT_RATE} <= set(registered())


@pytest.mark.parametrize("command", [("LLEN", "wrong type"), ("NO-SUCH-COMMAND",), ("ZCARD",)])
def test_a_command_that_fails_costs_its_own_gauge(
    queues: StoreAddress, client: Any, example: GaugeRead, command: tuple[str, ...]
) -> None:
    """Refused when it is queued, which ends the transaction, or when it is run: everything else is read."""
    client.zadd(queues.keys.beside("zset"), {"a": 1})
    words = (command[0], queues.keys.beside("zset")) if len(command) > 1 else command
    broken = replace(example, commands=lambda _keys, _now: [words])
    found, problems = read(queues, broken)
    assert found["orders"] == [Sample("_total", (), 3.0)]
    assert [problem.key for problem in problems] == ["reads[queue_length]"]


def test_a_function_that_fails_costs_its_own_gauge(queues: StoreAddress, example: GaugeRead) -> None:
    """Whatever it raises is told with what it was given."""
    broken = replace(example, samples=lambda replies, _: [Sample("", (), replies[17])])
    found, problems = read(queues, broken)
    assert found["orders"] == [Sample("_total", (), 3.0)]
    assert "IndexError" in str(problems[0])


def test_other_families_of_the_same_read_are_given(queues: StoreAddress, example: GaugeRead) -> None:
    """Their samples, and None for a family that there is not."""
    seen: list[Any] = []

    def samples(_: Any, others: Any) -> None:
        seen.extend((others("orders"), others("nothing")))

    read(queues, replace(example, samples=samples))
    assert seen == [[Sample("_total", (), 3.0)], None]


def test_a_user_who_may_only_read_is_enough(example: GaugeRead) -> None:
    """The exporter's user of users.acl reads the keys beside the counts; what it may not send costs the gauge alone."""
    lines = ACL.read_text(encoding="utf-8").replace("resetpass", ">pw") + "user admin on >pw ~* &* +@all\n"
    node = Node(client={"username": "admin", "password": "pw"})
    (node.directory / "users.acl").write_text(lines, encoding="utf-8")
    node._options["aclfile"] = str(node.directory / "users.acl")
    with node:
        admin = StoreAddress(f"redis://admin:pw@127.0.0.1:{node.port}/0", "ns")
        with FixedState(admin) as state:
            state.family(QUEUE)
        node.run("ZADD", admin.keys.beside("queue-video"), 1, "a")
        exporter = StoreAddress(f"redis://fleetmeter-exporter:pw@127.0.0.1:{node.port}/0", "ns")
        assert [sample.value for sample in read(exporter, example)[0]["queue_length"]] == [0.0, 1.0]
        forbidden = replace(example, commands=lambda keys, _: [("DEL", keys.beside("queue-video"))])
        _, problems = read(exporter, forbidden)
        assert [problem.key for problem in problems] == ["reads[queue_length]"]
        assert node.run("EXISTS", admin.keys.beside("queue-video")) == 1
        reader = Reader(exporter.url, "ns", reads=[forbidden])
        with pytest.raises(StateError):
            families_of(reader.read())
        reader.close()
