"""The recorder and its fixture, as the tests of a service use them."""

import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge

import fleetmeter
from fleetmeter.llm import Usage, record_openai_call
from fleetmeter.pricing import PriceList
from fleetmeter.testing import Recorder
from support.store import StoreAddress

ROOT = Path(__file__).parents[3]
REGISTRY = CollectorRegistry()
ORDERS = Counter("recorder_orders", "Orders.", ["country"], registry=REGISTRY)
QUEUE = Gauge("recorder_queue", "Waiting.", registry=REGISTRY)


def call() -> None:
    """One call of a listed model."""
    usage = Usage(prompt=25, completion=15)
    record_openai_call(
        model="gpt-6-luna", endpoint="chat.completions", intent="recorder", duration=0.1, usage=usage,
        cost=PriceList().cost("gpt-6-luna", usage),
    )  # fmt: skip


def test_what_came_before_is_not_in_it() -> None:
    """Calls, tokens and nano-dollars count from where the recorder was made, exactly."""
    call()
    recorder = Recorder()
    assert recorder.total("openai_api_calls_total") == 0
    call()
    cost = PriceList().cost("gpt-6-luna", Usage(prompt=25, completion=15))
    assert cost is not None
    assert recorder.nanodollars() == cost.nanodollars > 0
    assert recorder.nanodollars("openai_cost_usd_sum", intent="recorder") == cost.nanodollars
    assert recorder.total("openai_api_calls_total", model="gpt-6-luna") == 1
    assert recorder.total("openai_tokens_used_sum", type="prompt") == 25
    assert recorder.total("openai_tokens_per_call_sum") == 40
    recorder.start()
    assert recorder.changes() == {}


def test_plain_metrics_count_too() -> None:
    """Counters by labels, gauges as they stand, and everything that changed in one look."""
    QUEUE.set(3)
    with Recorder(REGISTRY) as recorder:
        ORDERS.labels("at").inc(2)
        ORDERS.labels("de").inc()
        QUEUE.set(4)
        assert recorder.total("recorder_orders_total") == 3
        assert recorder.total("recorder_orders_total", country="at") == 2
        assert recorder.total("recorder_orders_total", country="fr") == 0
        assert recorder.value("recorder_queue") == 4
        assert recorder.changes() == {
            'recorder_orders_total{country="at"}': 2,
            'recorder_orders_total{country="de"}': 1,
            "recorder_queue": 1,
        }


def test_an_installed_process_is_read_alike(installed: StoreAddress) -> None:
    """With a store or without one, the recorder shows what this process recorded; an atomic block's at its end."""
    recorder = Recorder()
    with fleetmeter.atomic():
        call()
        assert recorder.total("openai_api_calls_total") == 0
    assert recorder.total("openai_api_calls_total") == 1


def test_a_name_that_nobody_has_is_an_error() -> None:
    """A sample or a label that is misspelt is named, with what is near: it is not taken for 0."""
    recorder = Recorder(REGISTRY)
    with pytest.raises(LookupError, match=r"'recorder_order_total'.*near it: recorder_orders_total"):
        recorder.total("recorder_order_total")
    ORDERS.labels("at").inc()
    with pytest.raises(LookupError, match="no label 'land'; it has: country"):
        recorder.total("recorder_orders_total", land="at")


EXAMPLE = """
from prometheus_client import Counter

ORDERS = Counter("orders", "Orders taken.")

def test_one(fleetmeter_recorder):
    ORDERS.inc()
    assert fleetmeter_recorder.total("orders_total") == 1

def test_another(fleetmeter_recorder):
    assert fleetmeter_recorder.total("orders_total") == 0
"""


def run_pytest(tmp_path: Path, text: str) -> subprocess.CompletedProcess[str]:
    """What pytest says of a file in a project of its own."""
    (tmp_path / "test_project.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(tmp_path)]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)


def test_pytest_knows_the_fixture(tmp_path: Path) -> None:
    """A project's tests ask for the fixture by name; what one records is not in the next one's."""
    done = run_pytest(tmp_path, EXAMPLE)
    assert "2 passed" in done.stdout, done.stdout


def test_the_documented_example_holds(tmp_path: Path) -> None:
    """The test in docs/attribution.md passes as it stands."""
    text = (ROOT / "docs" / "attribution.md").read_text()
    (example,) = [part.partition("```")[0] for part in text.split("```python\n") if "fleetmeter_recorder" in part]
    done = run_pytest(tmp_path, example)
    assert "1 passed" in done.stdout, done.stdout


def test_who_does_not_use_it_pays_nothing(tmp_path: Path) -> None:
    """The plugin imports nothing of fleetmeter, nor prometheus_client and redis, before a test asks for the fixture."""
    done = run_pytest(
        tmp_path,
        "import sys\ndef test_it():\n    assert 'fleetmeter_pytest' in sys.modules\n"
        "    assert not {'fleetmeter', 'prometheus_client', 'redis'} & sys.modules.keys()\n",
    )
    assert "1 passed" in done.stdout, done.stdout
