"""The proof at the end of a demo: a difference is seen, and what the client cannot know is no difference."""

import io
from collections import Counter
from typing import Any

import pytest
from rich.console import Console

from fleetmeter.watching.totals import Totals
from fleetmeter_app.demo.comparison.report import remarks, summary_table, verdict
from fleetmeter_app.demo.comparison.sides import Comparison, compare
from fleetmeter_app.demo.traffic.questions import Question
from fleetmeter_app.demo.traffic.sdk import error_code
from fleetmeter_app.demo.traffic.sdk_questions import Kind, SdkQuestion
from fleetmeter_app.demo.traffic.tally import CHATS, EMBEDDINGS, Tally, billed_usage
from fleetmeter_app.demo.view import Moment, line, view
from fleetmeter_app.upstream.ledger import BilledUsage, Ledger

ASKED = Question(b"{}", "search", key="TSLA price")
SOL = "gpt-6.1-sol"
"""A model that costs 2,000 nano-dollars per token of prompt, and 10,000 per token of completion."""
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
budget_spent_usd{budget="search",window="month"} 1.234567e-06
"""
LEFT = SdkQuestion(Kind.LEFT_UNTOLD, "search", "Why?", "premium", (SOL, "reserve"))
EMBEDDED = SdkQuestion(Kind.EMBEDDINGS, "search", "TSLA", "e", ("text-embedding-3-small",), key="e TSLA")
DOWN = SdkQuestion(Kind.UNSTABLE, "search", "Up?", "gpt-6-astra", ("gpt-6-astra",))
SDK_EXPOSITION = """\
replica_requests{replica="gateway-1:17"} 10.0
http_requests_total{method="POST",endpoint="/v1/chat/completions",status="200"} 4.0
http_requests_total{method="POST",endpoint="/v1/chat/completions",status="429"} 1.0
http_requests_total{method="POST",endpoint="/v1/chat/completions",status="401"} 1.0
http_requests_total{method="POST",endpoint="/v1/chat/completions",status="502"} 1.0
http_requests_total{method="POST",endpoint="/v1/chat/completions",status="503"} 1.0
http_requests_total{method="POST",endpoint="/v1/embeddings",status="200"} 2.0
client_retries_total{endpoint="/v1/chat/completions"} 1.0
model_selections_total{intent="a",model="m",tier="cheap"} 8.0
model_fallbacks_total{intent="a",reason="circuit_open"} 1.0
prompt_cache_operations_total{operation="get",result="hit"} 1.0
prompt_cache_operations_total{operation="get",result="miss"} 5.0
prompt_cache_operations_total{operation="put",result="stored"} 2.0
openai_api_calls_total{model="m",endpoint="chat.completions",intent="a",stream="true"} 3.0
openai_api_calls_total{model="m",endpoint="chat.completions",intent="a",stream="false"} 1.0
openai_api_calls_total{model="e",endpoint="embeddings",intent="a",stream="false"} 1.0
openai_tokens_per_call_count{model="n",intent="a"} 4.0
openai_stream_aborts_total{model="n",usage="reported"} 1.0
openai_stream_aborts_total{model="n",usage="estimated"} 1.0
openai_time_to_first_token_seconds_count{model="n"} 3.0
openai_tokens_used_sum{model="gpt-6.1-sol",intent="a",type="prompt"} 23.0
openai_tokens_used_sum{model="text-embedding-3-small",intent="a",type="prompt"} 9.0
openai_tokens_used_sum{model="gpt-6.1-sol",intent="a",type="completion"} 6.0
openai_cost_usd_sum{model="n",intent="a"} 0.00010618
openai_total_cost_usd_total{model="n"} 0.00010618
cost_savings_usd_total{intent="a",source="prompt_cache"} 1.8e-07
budget_spent_usd{budget="search",window="month"} 0.00010618
budget_rejections_total{budget="trial",action="reject"} 1.0
gateway_key_rejections_total{reason="unknown"} 1.0
errors_total{type="CircuitOpenError",endpoint="/v1/chat/completions"} 1.0
"""


def answer(**changed: Any) -> dict[str, Any]:
    """A paid answer of `POST /ask`."""
    usage = {
        "prompt_tokens": 10, "completion_tokens": 7, "total_tokens": 17, "cached_tokens": 5,
        "cache_write_tokens": 2, "reasoning_tokens": 4,
    }  # fmt: skip
    return {
        "cached": False, "fallbacks": ["rate_limited"], "tools": [], "usage": usage,
        "cost_nanodollars": 1_234_567 // 1000, **changed,
    }  # fmt: skip


def counted() -> Tally:
    """Four requests: a paid answer after a fallback, the same from the cache, a refusal, an error of the model."""
    tally = Tally()
    tally.record("gateway-1", ASKED, 200, answer())
    tally.record("gateway-1", ASKED, 200, answer(cached=True, usage=None, cost_nanodollars=None, fallbacks=[]))
    tally.record("gateway-1", Question(b""), 400, {"error": {"code": "empty_query"}})
    tally.record("gateway-2", Question(b"", ends_at_first=True), 400, {"error": {"code": "invalid_value"}})
    return tally


def ledger(*, received: int = 4, nanodollars: int = 1234) -> Ledger:
    """What the upstream did for these four."""
    found = Ledger()
    usage = BilledUsage(prompt=3, cached=5, cache_write=2, completion=3, reasoning=4)
    for _ in range(received):
        found.receive("m")
    found.record("m", 200, abandoned=False, usage=usage, nanodollars=nanodollars)
    return found


def counted_with_the_sdk() -> Tally:
    """Ten replies: streams to the end, left with a usage and without; embeddings, paid and cached; four refusals."""
    tally = Tally()
    for path, status in (("chat/completions", 200), ("embeddings", 200), ("embeddings", 200)):
        tally.see("gateway-1", f"/v1/{path}", status)
    for status in (200, 200, 200, 401, 429, 502, 503):
        tally.see("gateway-1", "/v1/chat/completions", status, repeated=status == 429)
    stream = SdkQuestion(Kind.STREAM, "search", "Who?", "premium", ("m", SOL))
    tally.answer(stream, CHATS, SOL, BilledUsage(prompt=6, completion=2), "miss", stream=True)
    tally.leave(LEFT, SOL, BilledUsage(prompt=7, completion=2), told=True)
    tally.leave(LEFT, SOL, BilledUsage(prompt=10, completion=2), told=False)
    tally.first_tokens += 3
    for cache in ("miss", "hit"):
        tally.answer(EMBEDDED, EMBEDDINGS, "text-embedding-3-small", BilledUsage(prompt=9), cache)
    tally.refused(LEFT, CHATS, "invalid_api_key")
    tally.refused(LEFT, CHATS, "insufficient_quota")
    tally.refused(DOWN, CHATS, "upstream_error")
    tally.refused(DOWN, CHATS, "circuit_open")
    return tally


def totals(text: str = EXPOSITION) -> Totals:
    """The exposition, with money that is a whole number of nano-dollars."""
    return Totals.parse(text.replace("1.234567e-06", "1.234e-06"))


def disagreeing(comparison: Comparison) -> list[str]:
    """The names of the rows that are marked."""
    return list(comparison.wrong)


def values(comparison: Comparison) -> dict[str, tuple[int | None, int | None, int]]:
    """What client, ledger and exporter say, by the row's name."""
    return {
        f"{section.title}, {row.name}": (row.client, row.ledger, row.exporter)
        for section in comparison.sections
        for row in section.rows
    }


def printed(comparison: Comparison) -> str:
    """The table as text, on a narrow terminal."""
    console = Console(file=io.StringIO(), width=80)
    console.print(summary_table(comparison))
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue()


def test_equal_counts_agree() -> None:
    """The same events, counted three times, agree in every row."""
    comparison = compare(counted(), ledger(), totals())
    assert disagreeing(comparison) == []
    assert verdict(comparison) == f"client, ledger and exporter agree in all {len(comparison.rows)} rows."
    found = values(comparison)
    assert found["calls of models, with retries"] == (None, 4, 4)
    assert found["US dollars, spent in total"] == (1234, 1234, 1234)
    assert found["US dollars, saved by the cache"] == (1234, None, 1234)
    assert found["US dollars, by team search"] == (1234, None, 1234)
    assert found["tokens, cached"] == (5, 5, 5)
    assert found["HTTP requests, by gateway-1"] == (3, None, 3)
    assert remarks(comparison) == []


@pytest.mark.parametrize(
    ("old", "new", "row"),
    [
        ('status="200"} 2.0', 'status="200"} 3.0', "HTTP requests, status 200"),
        ('"gateway-2:18"} 1.0', '"gateway-2:18"} 2.0', "HTTP requests, by gateway-2"),
        ('tier="cheap"} 3.0', 'tier="cheap"} 4.0', "cache and routing, model chosen"),
        ('result="hit"} 1.0', 'result="hit"} 2.0', "cache and routing, cache hits"),
        ('result="expired"} 1.0', 'result="expired"} 0.0', "cache and routing, cache misses"),
        ('result="stored"} 1.0', 'result="stored"} 0.0', "cache and routing, cache puts"),
        ('reason="rate_limited"} 1.0', 'reason="rate_limited"} 2.0', "cache and routing, fallbacks"),
        ('stream="false"} 3.0', 'stream="false"} 2.0', "calls of models, all"),
        ('openai_retries_total{model="m"} 1.0', 'openai_retries_total{model="m"} 2.0', "calls of models, with retries"),
        ('openai_tokens_per_call_count{model="n",intent="a"} 1.0', "", "calls of models, answered"),
        ('type="reasoning"} 4.0', 'type="reasoning"} 5.0', "tokens, reasoning"),
        ('openai_cost_usd_sum{model="n",intent="a"} 1.234567e-06', "", "US dollars, spent, call by call"),
        (
            'openai_total_cost_usd_total{model="n"} 1.234567e-06',
            'openai_total_cost_usd_total{model="n"} 1.235e-06',
            "US dollars, spent in total",
        ),
        (
            'source="prompt_cache"} 1.234567e-06',
            'source="prompt_cache"} 1.233e-06',
            "US dollars, saved by the cache",
        ),
    ],
)
def test_a_difference_is_marked(old: str, new: str, row: str) -> None:
    """One wrong number of the exporter, even by a nano-dollar, marks its row and turns the verdict."""
    assert old in EXPOSITION
    comparison = compare(counted(), ledger(), totals(EXPOSITION.replace(old, new)))
    assert row in disagreeing(comparison)
    name = row.partition(", ")[2]
    (marked,) = [
        text for text in printed(comparison).splitlines() if text.startswith(f"   {name} ") and "DIFFERS" in text
    ]
    assert marked.endswith("DIFFERS ")
    assert "DISAGREE" in verdict(comparison)


def test_the_ledger_is_a_witness_too() -> None:
    """A bill that differs from both other counts marks its rows."""
    assert disagreeing(compare(counted(), ledger(nanodollars=1235, received=5), totals())) == [
        "calls of models, with retries", "US dollars, spent in total", "US dollars, spent, call by call",
    ]  # fmt: skip


def test_without_a_ledger_two_must_agree() -> None:
    """With real models there is no ledger, no row of it, and neither keys nor budgets."""
    comparison = compare(counted(), None, totals())
    assert disagreeing(comparison) == []
    assert {row.ledger for row in comparison.rows} == {None}
    assert all(row.client is not None for row in comparison.rows), "a number without a second witness proves nothing"
    assert not [name for name in values(comparison) if "team" in name or "refused" in name]
    assert verdict(comparison).startswith("client and exporter agree")


def test_what_the_sdk_got_agrees() -> None:
    """Streams, those that were left, embeddings, retries of the SDK and refusals are compared, too."""
    bill = Ledger()
    for model, usage, left in (
        (SOL, BilledUsage(prompt=6, completion=2), False),
        (SOL, BilledUsage(prompt=7, completion=2), False),
        (SOL, BilledUsage(prompt=15, completion=40), True),
        ("text-embedding-3-small", BilledUsage(prompt=9), False),
    ):
        price = 20 * usage.prompt if model != SOL else 2000 * usage.prompt + 10000 * usage.completion
        bill.receive(model)
        bill.record(model, 200, abandoned=left, usage=usage, nanodollars=price)
    bill.receive("gpt-6-astra")
    tally = counted_with_the_sdk()
    comparison = compare(tally, bill, Totals.parse(SDK_EXPOSITION))
    found = values(comparison)
    assert disagreeing(comparison) == []
    assert found["US dollars, spent in total"] == (106_180, 106_180, 106_180)
    assert found["calls of models, streams left, reported"] == (1, None, 1)
    assert found["calls of models, streams left, estimated"] == (1, None, 1)
    assert found["calls of models, streams, to the end"] == (1, None, 1)
    assert found["calls of models, first tokens timed"] == (3, None, 3)
    assert found["tokens, of these, for embeddings"] == (9, 9, 9)
    assert found["HTTP requests, sent again by the SDK"] == (1, None, 1)
    assert (
        found["refused, over budget"] == found["refused, unknown key"] == found["refused, circuit open"] == (1, None, 1)
    )
    assert [text.partition(" ")[0] for text in remarks(comparison)] == ["1", "Team", "gpt-6-astra"]
    assert "billed 55 tokens or 0.000430000 dollars" in remarks(comparison)[0]
    assert "12 tokens or 0.000040000 dollars" in remarks(comparison)[0]


def test_usages_of_every_endpoint_are_read() -> None:
    """Chats and `/ask`, responses and embeddings name their tokens differently."""
    usage = BilledUsage(prompt=3, cached=5, cache_write=2, completion=3, reasoning=4)
    details = {"cached_tokens": 5, "cache_write_tokens": 2}
    chat = {"prompt_tokens": 10, "prompt_tokens_details": details, "completion_tokens": 7}
    assert billed_usage({**chat, "completion_tokens_details": {"reasoning_tokens": 4}}) == usage
    response = {"input_tokens": 10, "input_tokens_details": details, "output_tokens": 7}
    assert billed_usage({**response, "output_tokens_details": {"reasoning_tokens": 4}}) == usage
    assert billed_usage(answer()["usage"]) == usage
    assert billed_usage({"prompt_tokens": 9, "total_tokens": 9}) == BilledUsage(prompt=9)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"error": {"code": "budget_held"}}', "budget_held"), (b'{"error": {"code": null}}', ""),
        (b'{"error": "no"}', ""), (b"Internal Server Error", ""), (b"[]", ""),
    ],
)  # fmt: skip
def test_any_error_has_a_code_or_none(body: bytes, code: str) -> None:
    """A reply that is no error of the gateway's ends no demo."""
    assert error_code(body) == code


def test_tools_take_a_call_before_and_one_after_them() -> None:
    """A question whose tools were run is one choice of a model, and two calls, both paid and kept."""
    tally = Tally()
    tools = [{"name": "indicator", "status": "success"}, {"name": "latest_quote", "status": "error"}]
    tally.record("gateway-1", Question(b"{}", "search"), 200, answer(tools=tools, fallbacks=["circuit_open"]))
    assert (tally.selections, tally.calls[CHATS], tally.misses, tally.puts, tally.paid_answers) == (1, 2, 2, 2, 2)
    assert tally.tools == {"success": 1, "error": 1}
    assert tally.fallbacks == 1, "the model that the breaker left alone was not called"


def test_a_lost_reply_is_counted_apart() -> None:
    """What the client never learnt makes its counts a lower bound: more may be shown, but never less."""
    tally = counted()
    tally.lose()
    more = EXPOSITION.replace('status="200"} 2.0', 'status="200"} 3.0').replace('"hit"} 1.0', '"hit"} 2.0')
    comparison = compare(tally, ledger(), totals(more))
    assert disagreeing(comparison) == []
    assert "≥ 4" in printed(comparison)
    assert "1 requests whose outcome the client does not know" in verdict(comparison)
    less = EXPOSITION.replace('status="200"} 2.0', 'status="200"} 1.0')
    assert "HTTP requests, status 200" in disagreeing(compare(tally, ledger(), totals(less)))


def test_requests_of_somebody_else_are_guessed() -> None:
    """If the exporter has more than the client, and nothing else differs, the verdict says who may have asked."""
    more = EXPOSITION.replace('status="200"} 2.0', 'status="200"} 3.0')
    assert verdict(compare(counted(), ledger(), totals(more))).endswith(
        "as if somebody else had asked these gateways, too."
    )
    assert "somebody" not in verdict(compare(counted(), ledger(nanodollars=1), totals(more)))


def test_a_reply_that_tells_little_spoils_no_request_count() -> None:
    """After an error that does not tell how many models were asked, requests are still exact, calls a lower bound."""
    tally = counted()
    tally.record("gateway-1", Question(b""), 502, {"error": {"code": "upstream_error"}})
    requests, _, calls, *_ = compare(tally, ledger(), totals()).sections
    assert "HTTP requests, status 502" in disagreeing(compare(tally, ledger(), totals()))
    assert requests.rows[0].exact
    assert not calls.rows[0].exact


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
