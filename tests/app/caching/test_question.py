"""Which requests share an answer."""

from typing import Any

import pytest

from fleetmeter_app.caching.question import Wish, field_of, may_share
from fleetmeter_app.caching.vault import Vault

BODY: dict[str, Any] = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 5}
ASKED: tuple[str, str, str, dict[str, Any]] = ("chat.completions", "team a", "gpt-6-luna", BODY)


def name(endpoint: str, tenant: str, model: str, body: dict[str, Any]) -> str:
    """The field of such a request."""
    return field_of(Vault(), endpoint, tenant, model, body)


def test_equal_requests_are_one_question_in_any_order_of_fields() -> None:
    """The order of fields, and who asks, make no other question."""
    asked = name(*ASKED)
    assert asked == name("chat.completions", "team a", "gpt-6-luna", dict(reversed(BODY.items())))
    for about in ("user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"):
        assert asked == name("chat.completions", "team a", "gpt-6-luna", {**BODY, about: "somebody"})


@pytest.mark.parametrize(
    "other",
    [
        ("responses", *ASKED[1:]),
        ("chat.completions", "team b", *ASKED[2:]),
        ("chat.completions", "team a", "gpt-6-sol", BODY),
        (*ASKED[:3], {**BODY, "stream": True}),
        (*ASKED[:3], {**BODY, "max_tokens": 6}),
        (*ASKED[:3], {**BODY, "max_tokens": 5.5}),
        (*ASKED[:3], {**BODY, "unknown_field": None}),
        (*ASKED[:3], {**BODY, "messages": [{"role": "user", "content": "hello "}]}),
        (*ASKED[:3], {**BODY, "messages": [{"role": "system", "content": "hello"}]}),
    ],
)
def test_anything_else_is_another_question(other: tuple[Any, ...]) -> None:
    """Tenants, models, endpoints and each field that may change the answer keep questions apart."""
    assert name(*ASKED) != name(*other)


def test_a_field_tells_model_and_tenant_and_stays_one_word_each() -> None:
    """Blanks in names cannot move the parts that an invalidation looks at."""
    digest, model, tenant = name("e", "a b", "org/model x", BODY).split(" ")
    assert (len(digest), model, tenant) == (64, "org%2Fmodel%20x", "a%20b")


@pytest.mark.parametrize(
    ("body", "shared", "sampled"),
    [
        ({}, True, True),
        ({"temperature": 0}, True, True),
        ({"temperature": 0.0}, True, True),
        ({"temperature": 0.1}, False, True),
        ({"temperature": 1}, False, True),
        ({"temperature": None}, True, True),
        ({"store": False}, True, True),
        ({"store": True}, False, False),
        ({"background": True}, False, False),
        ({"previous_response_id": "resp_1"}, False, False),
        ({"conversation": "conv_1"}, False, False),
    ],
)
def test_what_depends_on_the_provider_is_never_shared(body: dict[str, Any], shared: bool, sampled: bool) -> None:
    """A temperature above 0 is shared if the configuration says so; what the provider keeps never is."""
    assert may_share(body, sampled=False) is shared
    assert may_share(body, sampled=True) is sampled


@pytest.mark.parametrize(
    ("header", "wish"),
    [
        (None, Wish()),
        ("", Wish()),
        ("max-age=0", Wish()),
        ("no-cache", Wish(looked_up=False)),
        ("No-Cache , max-age=3", Wish(looked_up=False)),
        ("no-store", Wish(looked_up=False, kept=False)),
        ("no-cache, no-store", Wish(looked_up=False, kept=False)),
    ],
)
def test_a_caller_may_want_a_new_answer(header: str | None, wish: Wish) -> None:
    """`no-cache` makes a new answer that others get; `no-store` leaves the cache alone."""
    assert Wish.from_header(header) == wish
