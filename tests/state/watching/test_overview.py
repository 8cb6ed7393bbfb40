"""What a view shows of the last minute, and that a look which is under way changes nothing of it."""

from collections.abc import Iterator

import pytest

from fleetmeter.schema.definition import Definition
from fleetmeter.settings import Settings
from fleetmeter.watching.overview import Overview
from fleetmeter.watching.sighting import Sighting
from fleetmeter.watching.target import Target
from support.scraping import FixedState
from support.sightings import sample, sighting
from support.store import StoreAddress

REQUESTS = Definition.of("http_requests", "counter", "", "", ["status"], (), "")
BEGAN = 1_790_000_000.0


@pytest.fixture
def overview(store: StoreAddress) -> Iterator[Overview]:
    """One of the test's namespace."""
    overview = Overview(Target(Settings.from_env({}, url=store.url, namespace=store.namespace)))
    yield overview
    overview.close()


def test_a_look_that_is_under_way_changes_nothing(overview: Overview, store: StoreAddress) -> None:
    """Reading happens in another thread; what is shown changes only when the result is taken."""
    with FixedState(store) as state:
        state.writer("w1", "pod-1", 7)
        state.family(REQUESTS, {("200",): 5})
        overview.look()
        state.family(REQUESTS, {("200",): 8})
        found = overview.watch.sight()
        assert isinstance(found, Sighting)
        assert overview.figures is not None
        assert overview.figures.requests == 5
        assert overview.history.seconds == 0
        overview.take(found)
        assert overview.figures.requests == 8
        assert overview.history.seconds > 0


def test_the_last_minute(overview: Overview) -> None:
    """Rates, shares of failures and quantiles are those of what was counted within it, and of nothing before."""

    def seen(at: float, scale: int) -> Sighting:
        return sighting(
            BEGAN + at,
            {
                sample("http_requests_total", status="200"): 90 * scale,
                sample("http_requests_total", status="503"): 10 * scale,
                sample("openai_api_calls_total", model="m"): 40 * scale,
                sample("openai_errors_total", model="m", type="Timeout"): 2 * scale,
                sample("openai_total_cost_usd_total", model="m"): 0.5 * scale,
                sample("openai_tokens_used_sum", type="prompt"): 600 * scale,
                sample("prompt_cache_operations_total", operation="get", result="hit"): 3 * scale,
                sample("prompt_cache_operations_total", operation="get", result="miss"): 1 * scale,
                sample("prompt_cache_operations_total", operation="put", result="stored"): 9 * scale,
                sample("http_request_duration_seconds_bucket", le="0.5"): 100 * scale,
                sample("http_request_duration_seconds_bucket", le="+Inf"): 100 * scale,
            },
        )

    overview.take(seen(0, 0))
    overview.take(seen(1800, 50))
    overview.take(seen(1860, 51))
    pace = overview.pace
    assert pace is not None
    assert pace.seconds == 60
    assert [pace.requests, pace.failing] == pytest.approx([100 / 60, 0.1])
    assert [pace.calls, pace.calls_failing] == pytest.approx([40 / 60, 0.05])
    assert pace.per_hour == pytest.approx(0.5e9 * 60)
    assert pace.tokens == {"prompt": 10.0}
    assert pace.hit_ratio == 0.75
    assert pace.latency["p50"] == pytest.approx(0.25)


def test_nothing_is_claimed_of_a_minute_without_traffic(overview: Overview) -> None:
    """A share of nothing is none; a rate of nothing is 0."""
    quiet = {sample("http_requests_total", status="200"): 5.0}
    overview.take(sighting(BEGAN, quiet))
    first = overview.pace
    assert first is None
    overview.take(sighting(BEGAN + 30, quiet))
    pace = overview.pace
    assert pace is not None
    assert (pace.requests, pace.failing, pace.calls, pace.per_hour, pace.hit_ratio) == (0.0, None, None, None, None)
    assert set(pace.latency.values()) == {None}
