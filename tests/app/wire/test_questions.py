"""What the rules for intents are tried on: the beginning of what the user said last."""

from typing import Any

import pytest

from fleetmeter_app.config.gateway import GatewayConfig
from fleetmeter_app.wire.questions import question_of

PARTS = [{"type": "text", "text": "abc"}, {"type": "image_url"}, {"type": "text", "text": "def"}]


@pytest.mark.parametrize(
    ("fields", "question"),
    [
        ({"messages": [{"role": "user", "content": "first"}, {"role": "user", "content": "abcdef"}]}, "abcde"),
        ({"messages": [{"role": "user", "content": "abc"}, {"role": "assistant", "content": "x"}]}, "abc"),
        ({"messages": [{"role": "user", "content": PARTS}]}, "abc\nd"),
        ({"input": "abcdef"}, "abcde"),
        ({"input": ["x", "abcdef"]}, "abcde"),
        ({"messages": [{"role": "system", "content": "x"}]}, ""),
        ({"input": 7}, ""),
        ({}, ""),
    ],
)
def test_a_question_is_the_beginning_of_the_last_message(fields: dict[str, Any], question: str) -> None:
    """At most so many characters, of the last message of the user or the last input."""
    assert question_of(fields, 5) == question


def test_how_much_of_a_message_decides_is_configured() -> None:
    """500 characters, or what the file says."""
    tiers = '[tiers.only]\nmodel = "m"\n[intents.general]\ntier = "only"\n'
    head = 'default_intent = "general"\nbaseline_tier = "only"\n'
    assert GatewayConfig.from_toml(head + tiers).limits.max_routed_characters == 500
    own = GatewayConfig.from_toml(head + tiers + "[limits]\nmax_routed_characters = 2000\n")
    assert own.limits.max_routed_characters == 2000
