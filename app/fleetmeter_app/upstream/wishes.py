"""Wishes of a request for its answer: odd usages, odd streams, other tiers and models, broken bodies.

A caller writes them into a header (`x-upstream-answer: shape=xai`). As most libraries cannot set headers, they may also
stand in any text of the request: `[[answer:stream=cont,cut=3]]`. Which tools a chat is to call, and with what, stands
in marks of its own: `[[call:latest_quote {"symbol": "ACME"}]]`. All of them are called at once, in this order; what
follows the name is passed on as it stands. The words after the colon are separated by commas:

    shape=xai             the shape of `usage`, one of `usages.SHAPES`; shape=none leaves it out
    stream=cont           which chunks of a stream carry usage, one of STREAMS
    chunks=3              content chunks of a stream (default: one per word of the answer)
    delay=0.01            seconds between two chunks
    cut=2                 close the connection after 2 chunks (0: after the headers)
    end=2                 end the stream after 2 chunks, in silence: no [DONE], no last event
    error=2               send an error event after 2 chunks, then end
    stall=2               send nothing after 2 chunks, until the client leaves
    body=cut              for an answer that is no stream: break it off (cut), or send html, broken JSON (json), or
                          nothing at all (drop)
    attempts=2            break the body in the first 2 attempts of a call only
    tier=flex             the service tier that the answer names
    model=NAME            the model that the answer names
    tool                  answer with a call of the request's first tool
    again                 ask for tools again once their results are there; by itself this never ends
    results               answer with the tools' results, in the place of words
    reason=length         the finish reason: stop, length, content_filter, tool_calls
    empty_first           begin a chat stream with a chunk without choices and model, as Azure does
    status=failed         the status of a response: completed, incomplete, failed
"""

import re
from dataclasses import dataclass, field
from typing import Self

from fleetmeter_app.errors import InvalidRequestError

HEADER = "x-upstream-answer"
_CALL = re.compile(r"\[\[call:([^\s\]]+) *(.*?)\]\]", re.DOTALL)
_IN_TEXT = re.compile(r"\[\[answer:([^\]]*)\]\]")

STREAMS = ("asked", "cont", "twice", "finish", "one_choice", "groq", "always", "never")
"""Where a stream states its usage. `asked`: in a chunk of its own, if asked for. `cont`: in each chunk, growing.
`twice`: in the finish chunk, and again in one of its own. `finish`: in the finish chunk. `one_choice`: in a last chunk
with one empty choice. `groq`: in the finish chunk, under `x_groq`. `always`: in a chunk of its own, asked for or not.
`never`: nowhere."""

_WORDS = frozenset({"tool", "again", "results", "empty_first"})
_WHOLE = frozenset({"chunks", "cut", "end", "error", "stall", "attempts"})
_CHOICES = {
    "stream": STREAMS,
    "body": ("cut", "html", "json", "drop"),
    "reason": ("stop", "length", "content_filter", "tool_calls"),
    "status": ("completed", "incomplete", "failed"),
}
_TEXTS = frozenset({"shape", "tier", "model"})
_LONGEST_DELAY = 60.0


@dataclass(frozen=True)
class AnswerWish:
    """One wish. `numbers` has the words with whole numbers, `texts` those with texts, `words` those without a value."""

    numbers: dict[str, int] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    words: frozenset[str] = frozenset()
    delay: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one wish. Raises `InvalidRequestError` if the text is none, so that a mistyped one is noticed."""
        numbers: dict[str, int] = {}
        texts: dict[str, str] = {}
        words: set[str] = set()
        delay = 0.0
        for word in (word.strip() for word in text.split(",")):
            name, equals, value = word.partition("=")
            if not equals and name in _WORDS:
                words.add(name)
            elif name in _WHOLE and re.fullmatch(r"[0-9]{1,6}", value):
                numbers[name] = int(value)
            elif name == "delay" and re.fullmatch(r"[0-9]{0,3}(\.[0-9]{1,6})?", value) and value:
                delay = min(float(value), _LONGEST_DELAY)
            elif (name in _CHOICES and value in _CHOICES[name]) or (name in _TEXTS and value):
                texts[name] = value
            else:
                raise InvalidRequestError(
                    f"The answer {text!r} cannot be given: {word!r} is no wish; an example: stream=cont,cut=3.",
                    param="messages",
                    code="invalid_answer",
                )
        return cls(numbers, texts, frozenset(words), delay)

    @property
    def shape(self) -> str:
        """The shape of the usage."""
        return self.texts.get("shape", "openai")

    @property
    def stream(self) -> str:
        """Which chunks carry usage."""
        return self.texts.get("stream", "asked")

    def broken_body(self, attempt: int) -> str | None:
        """How the body is broken in this attempt; None if it is not."""
        return self.texts.get("body") if attempt < self.numbers.get("attempts", attempt + 1) else None


def find_wish(header: str | None, text: str) -> AnswerWish:
    """The wish of a request. The header wins; then the last wish in the text, so that a later message may change it."""
    wishes = [*_IN_TEXT.findall(text), *([header] if header else [])]
    return AnswerWish.parse(wishes[-1]) if wishes else AnswerWish()


def find_calls(text: str) -> tuple[tuple[str, str], ...]:
    """The tools that a text wishes to be called: names, and arguments as they stand."""
    return tuple((name, arguments) for name, arguments in _CALL.findall(text))
