"""The proof at the end of a demo: a difference is seen, and what the client cannot know is no difference."""

import io
from collections import Counter
from typing import Any

import pytest
from rich.console import Console

from fleetmeter.watching.totals import Totals
from fleetmeter_app.demo.questions import Question
from fleetmeter_app.demo.summary import SummaryRow, compare, summary_table, verdict
from fleetmeter_app.demo.tally import Tally
from fleetmeter_app.demo.view import Moment, line, view
from fleetmeter_app.upstream.ledger import Account, BilledUsage, Outcomes

ASKED = Question(b"{}", key="TSLA price")
EXPOSITION = """\
fleetmeter_up 1.0
fleetmeter_replicas 3.0
replica_requests{replica="gateway-1:17"} 3.0
replica_requests{replica="gateway-2:18"} 1.0
http_requests_total{method="POST",endpoint="/ask",status="200"} 2.0
http_requests_total{method="POST",endpoint="/ask",status="400"} 2.0
model_selections_total{intent="a",model="m",tier="cheap"} 3.0
prompt_cache_operations_total{operation="get",result="hit"} 1.0
prompt_cache_operations_total{operation="get",result="miss"} 1.0
prompt_cache_operations_total{operation="get",result="expired"} 1.0
prompt_cache_operations_total{operation="put",result="stored"} 1.0
model_fallbacks_total{intent="a",reason="rate_limited"} 1.0
openai_api_calls_total{model="m",endpoint="chat.completions",intent="a",stream="false"} 3.0
openai_retries_total{model="m"} 1.0
openai_tokens_per_call_count{model="n",intent="a"} 1.0
openai_tokens_used_bucket{model="n",intent="a",type="prompt",le="1.0"} 0.0
openai_tokens_used_sum{model="n",intent="a",type="prompt"} 3.0
openai_tokens_used_sum{model="n",intent="a",type="cached"} 5.0
openai_tokens_used_sum{model="n",intent="a",type="cache_write"} 2.0
openai_tokens_used_sum{model="n",intent="a",type="completion"} 3.0
openai_tokens_used_sum{model="n",intent="a",type="reasoning"} 4.0
openai_cost_usd_sum{model="n",intent="a"} 1.234567e-06
openai_total_cost_usd_total{model="n"} 1.234567e-06
cost_savings_usd_total{intent="a",source="prompt_cache"} 1.234567e-06
cost_savings_usd_total{intent="a",source="routing"} 0.5
"""


def answer(**changed: Any) -> dict[str, Any]:
    """A paid answer of `POST /ask`."""
    usage = {
        "prompt_tokens": 10, "completion_tokens": 7, "total_tokens": 17, "cached_tokens": 5,
        "cache_write_tokens": 2, "reasoning_tokens": 4,
    }  # fmt: skip
    return {
        "cached": False, "fallbacks": ["rate_limited"], "usage": usage, "cost_nanodollars": 1_234_567 // 1000, **changed
    }  # fmt: skip


def counted() -> Tally:
    """Four requests: a paid answer after a fallback, the same from the cache, a refusal, an error of the model."""
    tally = Tally()
    tally.record("gateway-1", ASKED, 200, answer())
    tally.record("gateway-1", ASKED, 200, answer(cached=True, usage=None, cost_nanodollars=None, fallbacks=[]))
    tally.record("gateway-1", Question(b""), 400, {"error": {"code": "empty_query"}})
    tally.record("gateway-2", Question(b"", ends_at_first=True), 400, {"error": {"code": "invalid_value"}})
    return tally


def ledger(**changed: int) -> Account:
    """What the upstream did for these four."""
    nanodollars = changed.get("nanodollars", 1234)
    usage = BilledUsage(prompt=3, cached=5, cache_write=2, completion=3, reasoning=4)
    return Account(received=changed.get("received", 4), delivered=Outcomes({200: 1}, usage, nanodollars))


def totals(text: str = EXPOSITION) -> Totals:
    """The exposition, with money that is a whole number of nano-dollars."""
    return Totals.parse(text.replace("1.234567e-06", "1.234e-06"))


def disagreeing(rows: list[SummaryRow]) -> list[str]:
    """The names of the rows that are marked."""
    return [row.name.strip() for row in rows if not row.agrees]


def printed(rows: list[SummaryRow]) -> str:
    """The table as text."""
    console = Console(file=io.StringIO(), width=100)
    console.print(summary_table(rows))
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue()


def test_equal_counts_agree() -> None:
    """The same events, counted three times, agree in every row."""
    rows = compare(counted(), ledger(), totals())
    assert disagreeing(rows) == []
    assert verdict(rows, counted(), with_ledger=True) == f"client, ledger and exporter agree in all {len(rows)} rows."
    values = {row.name.strip(): (row.client, row.ledger, row.exporter) for row in rows}
    assert values["calls and the SDK's retries"] == (None, 4, 4)
    assert values["cost in total, nano-dollars"] == (1234, 1234, 1234)
    assert values["saved by the cache, nano-dollars"] == (1234, None, 1234)
    assert values["tokens, cached"] == (5, 5, 5)
    assert values["gateway-1"] == (3, None, 3)


@pytest.mark.parametrize(
    ("old", "new", "row"),
    [
        ('status="200"} 2.0', 'status="200"} 3.0', "status 200"),
        ('"gateway-2:18"} 1.0', '"gateway-2:18"} 2.0', "gateway-2"),
        ('tier="cheap"} 3.0', 'tier="cheap"} 4.0', "model selections"),
        ('result="hit"} 1.0', 'result="hit"} 2.0', "cache hits"),
        ('result="expired"} 1.0', 'result="expired"} 0.0', "cache misses"),
        ('result="stored"} 1.0', 'result="stored"} 0.0', "cache puts"),
        ('reason="rate_limited"} 1.0', 'reason="rate_limited"} 2.0', "fallbacks"),
        ('stream="false"} 3.0', 'stream="false"} 2.0', "calls"),
        ('openai_retries_total{model="m"} 1.0', 'openai_retries_total{model="m"} 2.0', "calls and the SDK's retries"),
        ('openai_tokens_per_call_count{model="n",intent="a"} 1.0', "", "answered calls"),
        ('type="reasoning"} 4.0', 'type="reasoning"} 5.0', "tokens, reasoning"),
        ('openai_cost_usd_sum{model="n",intent="a"} 1.234567e-06', "", "cost of the calls, nano-dollars"),
        (
            'openai_total_cost_usd_total{model="n"} 1.234567e-06',
            'openai_total_cost_usd_total{model="n"} 1.235e-06',
            "cost in total, nano-dollars",
        ),
        (
            'source="prompt_cache"} 1.234567e-06',
            'source="prompt_cache"} 1.233e-06',
            "saved by the cache, nano-dollars",
        ),
    ],
)
def test_a_difference_is_marked(old: str, new: str, row: str) -> None:
    """One wrong number of the exporter, even by a nano-dollar, marks its row and turns the verdict."""
    assert old in EXPOSITION
    rows = compare(counted(), ledger(), totals(EXPOSITION.replace(old, new)))
    assert row in disagreeing(rows)
    (marked,) = [text for text in printed(rows).splitlines() if text.strip().startswith(f"{row}  ")]
    assert marked.endswith("DIFFERS ")
    assert "DISAGREE" in verdict(rows, counted(), with_ledger=True)


def test_the_ledger_is_a_witness_too() -> None:
    """A bill that differs from both other counts marks its rows."""
    rows = compare(counted(), ledger(nanodollars=1235, received=5), totals())
    assert disagreeing(rows) == [
        "calls and the SDK's retries", "cost of the calls, nano-dollars", "cost in total, nano-dollars",
    ]  # fmt: skip


def test_without_a_ledger_two_must_agree() -> None:
    """With real models there is no ledger, and no row of it."""
    rows = compare(counted(), None, totals())
    assert disagreeing(rows) == []
    assert {row.ledger for row in rows} == {None}
    assert all(row.client is not None for row in rows), "a number without a second witness proves nothing"
    assert verdict(rows, counted(), with_ledger=False).startswith("client and exporter agree")


def test_a_lost_reply_is_counted_apart() -> None:
    """What the client never learnt makes its counts a lower bound: more may be shown, but never less."""
    tally = counted()
    tally.lose()
    more = EXPOSITION.replace('status="200"} 2.0', 'status="200"} 3.0').replace('"hit"} 1.0', '"hit"} 2.0')
    rows = compare(tally, ledger(), totals(more))
    assert disagreeing(rows) == []
    assert "at least 4" in printed(rows)
    assert "1 requests whose outcome the client does not know" in verdict(rows, tally, with_ledger=True)
    less = EXPOSITION.replace('status="200"} 2.0', 'status="200"} 1.0')
    assert "status 200" in disagreeing(compare(tally, ledger(), totals(less)))


def test_a_reply_that_tells_little_spoils_no_request_count() -> None:
    """After an error that does not tell how many models were asked, requests are still exact, calls a lower bound."""
    tally = counted()
    tally.record("gateway-1", Question(b""), 502, {"error": {"code": "upstream_error"}})
    rows = {row.name.strip(): row for row in compare(tally, ledger(), totals())}
    assert not rows["status 502"].agrees
    assert rows["HTTP requests"].exact
    assert not rows["calls"].exact


def test_savings_of_two_prices_are_a_lower_bound() -> None:
    """A question that was paid for at two prices saves at least the lower one each time."""
    once, twice = counted(), counted()
    twice.record("gateway-1", ASKED, 200, answer(cost_nanodollars=1000))
    assert (once.savings_are_exact, once.saved_nanodollars) == (True, 1234)
    assert (twice.savings_are_exact, twice.saved_nanodollars) == (False, 1000)


def test_a_reply_without_a_price_costs_nothing() -> None:
    """A model without a price adds tokens and no money."""
    tally = Tally()
    tally.record("gateway-1", ASKED, 200, answer(cost_nanodollars=None))
    assert (tally.nanodollars, tally.tokens) == (
        0,
        Counter(prompt=3, cached=5, cache_write=2, completion=3, reasoning=4),
    )


@pytest.mark.parametrize("width", [80, 120])
def test_the_view_fits(width: int) -> None:
    """The view is 18 lines of the terminal's width, however large the numbers, with nothing cut off."""
    large = EXPOSITION.replace("3.0", "123456.0").replace("1.234567e-06", "1234.567891")
    large += "".join(
        f'model_fallbacks_total{{intent="a",reason="{reason}"}} 1234.0\n'
        for reason in ("model_not_found", "timeout", "upstream_error", "context_length", "circuit_open", "over_budget")
    )
    console = Console(file=io.StringIO(), width=width)
    console.print(view(Moment(counted(), 30.0, totals=Totals.parse(large))))
    output = console.file
    assert isinstance(output, io.StringIO)
    text = output.getvalue()
    assert len(text.splitlines()) == 18
    assert {len(row) for row in text.splitlines()[1:]} == {width}
    assert "…" not in text
    for shown in ("gateway-2", "$1,234.567891 by the cache", "others", "123,456 alive", "cache_write"):
        assert shown in text


def test_the_line() -> None:
    """Where there is no terminal one line says the same; before the first scrape it says that there is none."""
    moment = Moment(counted(), None, started=100.0, ended=165.0)
    assert line(moment) == "1:05: client 4 replies; no scrape yet"
    moment.totals = totals()
    assert line(moment) == (
        "1:05: client 4 replies; exporter 4 requests (200: 2, 400: 2), $0.000001, tokens 17, "
        "cache hit rate 0%, fallbacks 1, replicas alive 3"
    )
