"""Which values become labels."""

import logging
from enum import Enum

import openai
import pytest

from fleetmeter.llm.vocabulary import OPENAI_ERROR_TYPES, OTHER, LabelSet, Vocabulary, member


class Intent(str, Enum):  # noqa: UP042 - the older form, whose str() is not its value
    """Intents as some services declare them."""

    CHAT = "chat"


def test_a_value_of_a_fixed_set_is_kept_and_any_other_is_not() -> None:
    """A fixed set admits its members only."""
    assert member("timeout", ("success", "timeout"), "status") == "timeout"
    assert member("boom", ("success", "timeout"), "status") == OTHER


@pytest.mark.parametrize("value", [None, 3, b"timeout", ["timeout"]])
def test_what_is_no_string_becomes_other(value: object) -> None:
    """No odd value raises or becomes a label, whatever the kind of set."""
    vocabulary = Vocabulary()
    assert member(value, ("success", "timeout"), "status") == OTHER
    assert vocabulary.intents.admit(value) == OTHER
    assert vocabulary.model(value) == OTHER


def test_enum_members_are_labelled_by_their_value() -> None:
    """A str Enum gives its value, not the text that str() makes of it."""
    assert str(member(Intent.CHAT, ("chat",), "intent")) == "chat"
    assert str(LabelSet("intent", 5).admit(Intent.CHAT)) == "chat"


def test_names_are_learned_without_any_configuration() -> None:
    """A service that configures nothing sees its own names."""
    vocabulary = Vocabulary()
    assert vocabulary.intents.admit("chat") == "chat"
    assert vocabulary.model("gpt-6-luna") == "gpt-6-luna"
    assert vocabulary.tiers.admit("cheap") == "cheap"
    assert vocabulary.tools.admit("get_price") == "get_price"
    assert vocabulary.error_types.admit("ValueError") == "ValueError"
    assert vocabulary.endpoints.admit("/v1/items/{item_id:path}") == "/v1/items/{item_id:path}"


@pytest.mark.parametrize(
    "value",
    ["", "what is the price of gold?", "a" * 65, "naïve", "two\nlines", "jane@example.org", "x\n", "-x"],
)
def test_texts_are_never_learned(value: str) -> None:
    """Sentences, addresses, line breaks and long texts never become labels."""
    assert LabelSet("intent", 5).admit(value) == OTHER


def test_learning_stops_at_the_limit() -> None:
    """A label holds at most `limit` learned values; those that were admitted stay."""
    labels = LabelSet("intent", 3)
    admitted = [labels.admit(f"intent-{number}") for number in range(50)]
    assert admitted == ["intent-0", "intent-1", "intent-2"] + [OTHER] * 47
    assert labels.admit("intent-1") == "intent-1"
    assert labels.values == {"intent-0", "intent-1", "intent-2"}


def test_configured_sets_are_closed() -> None:
    """Once named, a set admits its members only, what was learned before included."""
    vocabulary = Vocabulary()
    assert vocabulary.intents.admit("early") == "early"
    vocabulary.configure(intents={"chat", "search with spaces"}, models=["gpt-6-sol", "other"])
    assert vocabulary.intents.admit("early") == OTHER
    assert vocabulary.intents.admit("search with spaces") == "search with spaces"
    assert vocabulary.model("gpt-6-sol") == "gpt-6-sol"
    assert vocabulary.model("gpt-6-luna") == OTHER
    assert vocabulary.models == {"gpt-6-sol"}
    assert vocabulary.tiers.admit("cheap") == "cheap"


def test_other_takes_no_place_in_a_set() -> None:
    """`other` is what is left, never a member."""
    labels = LabelSet("intent", 1)
    assert labels.admit(OTHER) == OTHER
    assert labels.admit("chat") == "chat"


def test_one_string_in_the_place_of_a_set_is_refused() -> None:
    """A string would be taken apart into letters, so it is a wrong call."""
    with pytest.raises(TypeError, match="'chat' is one string"):
        Vocabulary().configure(intents="chat")


def test_models_are_normalised_before_the_set_is_asked() -> None:
    """Dated snapshots are counted under their model."""
    vocabulary = Vocabulary()
    vocabulary.configure(models=["gpt-4o"], normalise=lambda name: name.removesuffix("-2024-08-06"))
    assert vocabulary.model("gpt-4o-2024-08-06") == "gpt-4o"
    assert vocabulary.model("gpt-4o-2024-05-13") == OTHER


def test_a_configured_name_is_not_normalised_away() -> None:
    """A model that was named counts under its own name, whatever `normalise` makes of it."""
    vocabulary = Vocabulary()
    vocabulary.configure(models=["house-model"], normalise=lambda _: OTHER)
    assert vocabulary.model("house-model") == "house-model"


def test_a_failing_normalise_breaks_no_record(caplog: pytest.LogCaptureFixture) -> None:
    """Recording goes on under the name as it came, and says so once."""

    def fail(name: str) -> str:
        raise LookupError(name)

    vocabulary = Vocabulary()
    vocabulary.configure(normalise=fail)
    with caplog.at_level(logging.WARNING):
        assert [vocabulary.model("gpt-6-sol-preview"), vocabulary.model("gpt-6-luna")] == [
            "gpt-6-sol-preview",
            "gpt-6-luna",
        ]
    assert len(caplog.records) == 1


def test_a_refused_value_is_logged_once_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    """The log names the label, never the value, which may be somebody's text."""
    labels = LabelSet("intent", 5)
    with caplog.at_level(logging.WARNING):
        labels.admit("my secret question")
        labels.admit("another secret question")
    assert len(caplog.records) == 1
    assert "intent" in caplog.text
    assert "secret" not in caplog.text


def test_error_types_are_exception_classes_of_the_sdk() -> None:
    """Every fixed error type exists in the SDK under that name; one came after the oldest SDK that is permitted."""
    missing = {name for name in OPENAI_ERROR_TYPES if not hasattr(openai, name)}
    assert missing <= {"OAuthError"}
    for name in set(OPENAI_ERROR_TYPES) - missing:
        assert issubclass(getattr(openai, name), openai.OpenAIError)
