"""`fleetmeter top`: the fleet's numbers, their rates, and what is said where there are none."""

import io
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from rich.console import Console

from fleetmeter.cli.command import main
from fleetmeter.cli.printing import NOTHING
from fleetmeter.cli.target import NamespaceTarget
from fleetmeter.cli.top.frame import frame
from fleetmeter.cli.top.live import show
from fleetmeter.reader.families import families_of
from fleetmeter.reader.reading import Reader
from fleetmeter.schema.definition import Definition
from fleetmeter.schema.keys import EPOCH_FIELD
from fleetmeter.settings import Settings
from fleetmeter.watching.sighting import Watch
from fleetmeter.watching.totals import Totals
from fleetmeter_exporter import RedisCollector
from support.commands import command, on_terminal, process
from support.proxy import FaultProxy
from support.scraping import FixedState
from support.store import StoreAddress


def counter(name: str, *labels: str, unit: str = "") -> Definition:
    """A counter's definition."""
    return Definition.of(name, "counter", "", unit, labels, (), "")


def gauge(name: str, mode: str) -> Definition:
    """A gauge's definition."""
    return Definition.of(name, "gauge", "", "", (), (), mode)


REQUESTS = counter("http_requests", "status")
TOKENS = Definition.of("openai_tokens_used", "histogram", "", "", ["type"], ("1.0", "+Inf"), "")
COST = counter("openai_total_cost_usd", "model", unit="usd")
CALLS = counter("openai_api_calls", "model")
OPERATIONS = counter("prompt_cache_operations", "operation", "result")
OF_REPLICA = gauge("replica_requests", "liveall")


@pytest.fixture
def state(store: StoreAddress) -> Iterator[FixedState]:
    """A fleet of two that did something of everything."""
    with FixedState(store) as state:
        for writer, name in (("w1", "pod-1"), ("w2", "pod-2")):
            state.writer(writer, name, 7)
        state.family(OF_REPLICA)
        state.gauge(OF_REPLICA, "w1", (), "1000")
        state.gauge(OF_REPLICA, "w2", (), "234")
        state.family(REQUESTS, {("200",): 1200, ("500",): 30, ("503",): 4})
        state.family(counter("errors", "type"), {("timeout",): 5})
        state.family(TOKENS, {("prompt", "sum"): 70_000, ("cached", "sum"): 5000, ("prompt", "+Inf"): 9})
        state.family(COST, {("gpt-6-luna",): 12_000_000_000, ("gpt-6-astra",): 500_000_000})
        state.family(CALLS, {("gpt-6-luna",): 900, ("gpt-6-astra",): 100, ("[/x]",): 1})
        state.family(OPERATIONS, {("get", "hit"): 3, ("get", "miss"): 1, ("put", "stored"): 8})
        state.family(counter("model_fallbacks", "reason"), {("timeout",): 6})
        state.family(counter("fleetmeter_flushes"), {(): 77})
        state.family(counter("fleetmeter_flush_errors", "reason"), {("timeout",): 2, ("auth",): 0})
        state.family(counter("fleetmeter_lost_batches"), {(): 1})
        yield state


@pytest.fixture
def watching(store: StoreAddress) -> Iterator[Callable[[str], Watch]]:
    """Makes a watch of the namespace, through another address if one is given."""
    watches: list[Watch] = []

    def watch(url: str = store.url) -> Watch:
        watches.append(Watch(NamespaceTarget(Settings.from_env({}, url=url, namespace=store.namespace))))
        return watches[-1]

    yield watch
    for made in watches:
        made.close()


def drawn(watch: Watch, width: int = 100) -> str:
    """A frame as text."""
    console = Console(file=io.StringIO(), width=width)
    console.print(frame(watch))
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue()


def squeezed(text: str) -> str:
    """Without frames, one space where there were many, and a word for the dash that stands for nothing."""
    return " ".join(text.replace("│", " ").replace(NOTHING, "none").split())


def test_one_plain_frame(store: StoreAddress, state: FixedState) -> None:
    """`--once` needs no terminal, sends no escape sequence, and shows the fleet's totals."""
    done = process(store, "top", "--once", "--interval", "0.05")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    text = squeezed(done.stdout)
    for shown in (
        "2 replicas alive", "pod-1 7", "total 1,234", "errors 34", "fallbacks 6", "prompt 70,000", "cached 5,000",
        "total $12.500000", "cache hits 75.0%", "gpt-6-luna 900 $12.000000", "[/x] 1 $0.000000",
        "flushes 77", "flush errors timeout 2", "lost batches 1", "retained none",
    ):  # fmt: skip
        assert shown in text, shown
    assert "per second 0.0" in text


@pytest.mark.parametrize(
    ("requests", "errors", "shown"),
    [
        ({("200",): 5, ("404",): 2}, None, "errors 0"),
        ({("200",): 5, ("500",): 3}, None, "errors 3"),
        (None, {("timeout",): 7}, "errors 7"),
        (None, None, "errors none"),
    ],
)
def test_errors_are_those_that_http_counted(
    requests: Any, errors: Any, shown: str, watching: Callable[..., Watch], store: StoreAddress
) -> None:
    """Statuses of 500 and above; a service without HTTP shows what it records as errors, one without both a dash."""
    with FixedState(store) as state:
        state.writer("w1", "pod-1", 7)
        for definition, numbers in ((REQUESTS, requests), (counter("errors", "type"), errors)):
            if numbers is not None:
                state.family(definition, numbers)
        watch = watching()
        watch.look()
        text = drawn(watch)
        assert shown in squeezed(text)
        assert "about 1 s behind" in text


def test_families_that_do_not_exist_are_dashes(watching: Callable[..., Watch], store: StoreAddress) -> None:
    """A fleet without the catalogue shows what it has; nothing is claimed to be 0."""
    watch = watching()
    watch.look()
    text = squeezed(drawn(watch))
    for shown in (
        "nothing recorded yet",
        "total none",
        "per second none",
        "cache hits none",
        "cache size none",
        "lost batches none",
    ):
        assert shown in text, shown


def test_rates(watching: Callable[..., Watch], state: FixedState, client: Any, store: StoreAddress) -> None:
    """A rate is the growth between two looks, by the store's clock; there is none before the second look."""
    watch = watching()
    assert watch.rate(lambda totals: totals.total("http_requests_total")) is None
    watch.look()
    assert "per second none" in squeezed(drawn(watch))
    client.hincrby(store.keys.family(REQUESTS.field), '["200"]', 50)
    client.hincrby(store.keys.family(COST.field), '["gpt-6-luna"]', 10**9)
    state.gauge(OF_REPLICA, "w2", (), "284")
    assert watch.now is not None
    before = watch.now.snapshot.taken_us
    watch.look()
    seconds = (watch.now.snapshot.taken_us - before) / 1e6
    rate = watch.rate(lambda totals: totals.total("http_requests_total"))
    assert rate == pytest.approx(50 / seconds)
    text = squeezed(drawn(watch))
    assert f"per second {50 / seconds:,.1f}" in text
    assert f"per hour ${3600 / seconds:,.4f}" in text
    assert any(f"284 {50 / seconds:,.1f}" in squeezed(line) for line in drawn(watch).splitlines() if "pod-2" in line)


def test_no_rate_where_counts_began_anew(
    watching: Callable[..., Watch], state: FixedState, client: Any, store: StoreAddress
) -> None:
    """Over a reset, or a removal, nothing is known about how fast it went."""
    watch = watching()
    watch.look()
    client.hset(store.keys.family(REQUESTS.field), '["200"]', 1)
    watch.look()
    assert watch.rate(lambda totals: totals.total("http_requests_total")) is None
    client.hset(store.keys.writers, EPOCH_FIELD, "new 5 1 reset")
    client.hset(store.keys.family(REQUESTS.field), '["200"]', 9)
    watch.look()
    assert watch.rate(lambda totals: totals.total("http_requests_total")) is None


def test_a_store_that_goes_away(watching: Callable[..., Watch], store: StoreAddress, state: FixedState) -> None:
    """The view says so, keeps what it saw, tells how old that is, and goes on when the store is back."""
    with FaultProxy(store.url) as proxy:
        watch = watching(proxy.url())
        watch.look()
        proxy.refuse()
        watch.look()
        text = squeezed(drawn(watch))
        assert "the store cannot be reached" in text
        assert "total 1,234" in text
        assert "read " in text
        proxy.accept()
        watch.look()
        assert "the store cannot be reached" not in drawn(watch)


def test_a_store_that_was_never_there(capsys: pytest.CaptureFixture[str]) -> None:
    """One frame of nothing says why, to the end of the sentence, and is a failure."""
    assert main(["top", "--once", "--url", "redis://127.0.0.1:1/0"]) == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "the store cannot be reached" in shown
    assert "Connection refused" in shown


def test_a_password_that_is_wrong(capsys: pytest.CaptureFixture[str], store: StoreAddress) -> None:
    """A store that refuses is not called away: what it says stands first, where a narrow terminal shows it."""
    scheme, _, rest = store.url.partition("://")
    assert main(["top", "--once", "--url", f"{scheme}://nobody:wrong@{rest.rpartition('@')[2]}"]) == 1
    assert capsys.readouterr().out.splitlines()[1].startswith("the store refused the user or the password")


def test_replicas_beyond_the_frame(watching: Callable[..., Watch], state: FixedState) -> None:
    """Those that live come first; what does not fit is counted."""
    for number in range(20):
        state.writer(f"x{number:02}", f"a-{number:02}", number, heartbeat_us=5)
    watch = watching()
    watch.look()
    lines = drawn(watch).splitlines()
    assert "pod-1" in lines[3]
    assert any("and 16 more" in line for line in lines)


@pytest.mark.parametrize("width", [80, 120])
def test_it_fits(watching: Callable[..., Watch], state: FixedState, width: int) -> None:
    """Every line is as wide as the terminal, with nothing cut off, in 30 lines."""
    watch = watching()
    watch.look()
    lines = drawn(watch, width).splitlines()
    assert {len(line) for line in lines[1:]} == {width}
    assert "…" not in "".join(lines)
    assert len(lines) <= 30


def test_live(store: StoreAddress, state: FixedState, client: Any) -> None:
    """On a terminal it redraws what changes until Ctrl-C, which ends it well and gives the screen back."""
    with on_terminal(store, "top", "--interval", "0.05") as terminal:
        terminal.wait_for("1,234")
        client.hincrby(store.keys.family(REQUESTS.field), '["200"]', 4321)
        terminal.wait_for("5,555")
        terminal.child.send_signal(signal.SIGINT)
        assert terminal.end() == 0
        assert terminal.shown.count("\x1b[?1049h") == terminal.shown.count("\x1b[?1049l") == 1
        assert "Traceback" not in terminal.shown


def test_an_interrupt_that_something_swallows_is_heard(
    watching: Callable[..., Watch], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python drops what is raised while an object is deleted; the view ends all the same."""

    class Swallowing:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    watch, look = watching(), Watch.look
    dropped: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: dropped.append(what.exc_type))

    def swallow(self: Watch) -> None:
        look(self)
        Swallowing()

    monkeypatch.setattr(Watch, "look", swallow)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        show(watch, 60.0)
    assert dropped == [KeyboardInterrupt]
    assert signal.getsignal(signal.SIGINT) is before


def test_what_it_cannot_do(store: StoreAddress, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal it asks for `--once`; an interval is a duration."""
    assert command(store, "top") == 2
    assert "expected one, or --once" in capsys.readouterr().err
    assert command(store, "top", "--once", "--interval", "none") == 2
    assert "--interval: 'none' is no duration" in capsys.readouterr().err


def test_both_ways_to_the_totals_agree(store: StoreAddress, state: FixedState) -> None:
    """What is read from the store and what an exporter shows of it are the same totals."""
    reader = Reader(store.url, store.namespace)
    stored = Totals.of(families_of(reader.read()))
    reader.close()
    registry = CollectorRegistry(support_collectors_without_names=True)
    RedisCollector(registry, url=store.url, namespace=store.namespace)
    shown = Totals.parse(generate_latest(registry).decode())
    for name in ("http_requests_total", "openai_tokens_used_sum", "openai_api_calls_total"):
        assert stored.has(name)
        assert stored.total(name) == shown.total(name)
    cost = "openai_total_cost_usd_total"
    assert stored.nanodollars(cost) == shown.nanodollars(cost) == 12_500_000_000
    assert stored.by("type", "openai_tokens_used_sum") == shown.by("type", "openai_tokens_used_sum")
    assert stored.replica_requests() == shown.replica_requests() == {"pod-1": 1000, "pod-2": 234}
