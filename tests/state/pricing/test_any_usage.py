"""Whatever a server states: a usage that adds up and a cost, or a doubt and a reason; never an exception."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fleetmeter.llm import Usage
from fleetmeter.pricing import Cost, Doubt, PriceList, Unpriced, read_answer, read_usage, shapes

NAMES = sorted(
    {
        *shapes.KNOWN_BESIDE, *shapes.INPUT_DETAILS, *shapes.OUTPUT_DETAILS, *shapes.INPUT_PARTS, *shapes.OUTPUT_PARTS,
        *(name for name, _ in shapes.WRITE_DURATIONS), *(key for _, keys in shapes.WRITE_DURATIONS for key in keys),
        shapes.CACHED_KINDS, "text_tokens", "video_tokens",
        *("usage", "model", "service_tier", "response", "type", "x_groq"),
    }
)  # fmt: skip
COUNTS = st.integers(0, 40) | st.none()
SCALARS = COUNTS | st.integers() | st.floats() | st.text(max_size=5) | st.booleans()
NAME = st.sampled_from(NAMES) | st.text(max_size=5)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAME, inner, max_size=6), max_leaves=20
)
LIKELY = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(sorted(shapes.KNOWN_BESIDE), COUNTS),
        **dict.fromkeys(shapes.INPUT_DETAILS, st.none() | st.dictionaries(st.sampled_from(NAMES), COUNTS, max_size=4)),
        **dict.fromkeys(shapes.OUTPUT_DETAILS, st.none() | st.dictionaries(st.sampled_from(NAMES), COUNTS, max_size=3)),
    },
)
"""Small counts under the names that servers use, in any combination."""
PRICES = PriceList()


def check(raw: Any) -> None:
    """What holds for anything that is read."""
    usage = read_usage(raw)
    if isinstance(usage, Usage):
        assert sum(usage.disjoint().values()) == usage.total
        assert min(usage.disjoint().values()) >= 0
    else:
        assert isinstance(usage, Doubt)
        assert min([0, *usage.disjoint().values()]) == 0
        assert len(str(usage)) < 2_500
    for model in ("gpt-6-sol", "gpt-realtime"):
        price = PRICES.price(model, usage)
        assert isinstance(price, Unpriced) or price.nanodollars >= 0
    answer = read_answer(raw)
    assert isinstance(PRICES.price(answer.model, answer.usage, tier=answer.tier), Cost | Unpriced)


@settings(max_examples=300, deadline=None)
@given(ANYTHING)
def test_anything(raw: Any) -> None:
    """Any JSON, in any nesting, with the names that matter strewn in."""
    check(raw)


@settings(max_examples=700, deadline=None)
@given(LIKELY)
def test_anything_likely(raw: dict[str, Any]) -> None:
    """Usages that are nearly right; one that is read keeps the total that it states."""
    check(raw)
    usage, total = read_usage(raw), raw.get("total_tokens")
    if (
        isinstance(usage, Usage)
        and total
        and not (raw.get("cache_read_input_tokens") or raw.get("cache_creation_input_tokens"))
    ):
        assert usage.total == total
