"""Only type-checked: what a user of the library writes, with the types that it promises."""

from typing import assert_type

from prometheus_client import CollectorRegistry, Counter

import fleetmeter
from fleetmeter.llm import Usage, record_call, record_openai_call
from fleetmeter.multiprocess import RedisValue, mark_process_dead
from fleetmeter.pricing import Answer, Cost, Doubt, PriceList, StreamedAnswer, Unpriced, read_answer, read_usage
from fleetmeter_exporter import RedisCollector, get_metrics, get_metrics_content_type

fleetmeter.install(
    url="redis://127.0.0.1:6379/0",
    namespace="shop",
    flush_interval=0.5,
    replica="web-1",
    max_series=500,
    numbers="fields",
)


def token() -> tuple[str, str]:
    """User and password for a new connection."""
    return "shop", "expires soon"


fleetmeter.install(credential_provider=token)
with fleetmeter.atomic():
    Counter("orders_total", "Orders.").inc()
with fleetmeter.durable(timeout=1.0, replicas=1):
    Counter("payments_total", "Payments.").inc()
assert_type(fleetmeter.flush(timeout=1.0), bool)
assert_type(fleetmeter.hand_over(timeout=1.0), bool)
assert_type(fleetmeter.shutdown(), bool)
fleetmeter.uninstall()


async def at_the_end() -> None:
    """The asynchronous twin."""
    assert_type(await fleetmeter.aflush(), bool)
    async with fleetmeter.durable():
        pass


registry = CollectorRegistry()
RedisCollector(registry, url="redis://127.0.0.1:6379/0", namespace="shop")
assert_type(get_metrics(), bytes)
assert_type(get_metrics_content_type(), str)

usage = Usage(prompt=10, completion=5)
cost = PriceList().cost("gpt-6-luna", usage)
assert_type(cost, Cost | None)
record_openai_call(model="gpt-6-luna", endpoint="chat.completions", intent="chat", duration=0.2, usage=usage, cost=cost)

answer = read_answer({"model": "gpt-6-luna", "usage": {"prompt_tokens": 10}})
assert_type(answer, Answer)
assert_type(answer.usage, Usage | Doubt | None)
assert_type(read_usage({"prompt_tokens": 10}), Usage | Doubt)
stream = StreamedAnswer()
stream.see({"choices": []})
assert_type(stream.answer(), Answer)
price = PriceList.from_file("prices.toml").price(answer.model, answer.usage, tier=answer.tier, base_url="https://x/v1")
assert_type(price, Cost | Unpriced)
record_openai_call(
    model=answer.model, endpoint="responses", intent="chat", duration=0.2, usage=answer.usage, cost=price
)
record_openai_call(model="gpt-6-luna", endpoint="responses", duration=0.2, error=TimeoutError(), retries=2)
record_openai_call(model="gpt-6-luna", endpoint="responses", duration=0.2, usage={"input_tokens": 10}, stream=True)
assert_type(record_call(usage={"input_tokens": 10}, model="x", provider="anthropic"), Cost | Unpriced | None)

value_class: type = RedisValue(process_identifier=lambda: "worker-1")
mark_process_dead(4711)
