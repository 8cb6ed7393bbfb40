"""How far a stream has come: whether content has begun, whether it is complete, whether it told of an error."""

from time import monotonic
from typing import Any

_TERMINAL = {
    "response.completed": False,
    "response.incomplete": False,
    "response.failed": True,
    "response.cancelled": False,
    "image_generation.completed": False,
    "image_edit.completed": False,
    "speech.audio.done": False,
    "transcript.text.done": False,
}
"""Events that end a stream; whether they tell of an error."""

_TEXTS = ("content", "refusal", "reasoning_content", "reasoning", "text")
"""Parts of a chat delta that are content as texts; `text` is that of the older completions."""


class Progress:
    """Takes in the parsed events of one stream. The last usage that is stated counts; it is never added up."""

    __slots__ = ("_first", "_keep_text", "_under_way", "_usage", "began", "complete", "failed", "last", "seen", "text")

    def __init__(self, *, keep_text: bool) -> None:
        self.seen = self.complete = self.failed = False
        self.began: float | None = None
        """When content began, by `time.monotonic`; None before that."""
        self.last: dict[str, Any] | None = None
        """The event that ended it: the chunk with a finish reason, or the finished response itself."""
        self.text: list[str] = []
        """The delivered text, if it is wanted for an estimate."""
        self._keep_text = keep_text
        self._first: dict[str, Any] | None = None
        self._usage: dict[str, Any] | None = None
        self._under_way = False

    @property
    def parts(self) -> tuple[dict[str, Any], ...]:
        """What has to be read for model, tier and usage: most chunks of a stream say nothing of them."""
        return tuple(part for part in (self._first, self.last, self._usage) if part is not None)

    @property
    def tells_usage(self) -> bool:
        """Whether a usage was stated."""
        return self._usage is not None

    def see(self, event: Any) -> None:
        """Take in an event: a chunk of a chat stream, or an event of a response."""
        if not self._under_way or type(event) is not dict:
            self._see_carefully(event)
            return
        # every further chunk of a chat stream: most of them tell no more than text
        choices = event.get("choices")
        if choices is None:
            self._see_event(event)
            return
        if event.get("usage") is not None or "x_groq" in event:
            self.see_usage(event)
        for choice in choices:
            if choice.get("finish_reason") is not None:
                self.complete = True
                self.last = event

    def _see_carefully(self, event: Any) -> None:
        """An event before content has begun, or of a stream whose text is wanted."""
        self.seen = True
        if type(event) is not dict:
            return
        if len(event) == 2 and "event" in event and "data" in event:  # as the SDK hands on events that have a name
            event = event["data"]
            if type(event) is not dict:
                return
        choices = event.get("choices")
        if choices is None:
            self._see_event(event)
            return
        if self._first is None and event.get("model"):
            self._first = event
        self.see_usage(event)
        for choice in choices:
            if choice.get("finish_reason") is not None:
                self.complete = True
                self.last = event
            if self.began is None or self._keep_text:
                self._see_delta(choice.get("delta") or choice)
        self._under_way = self._first is not None and self.began is not None and not self._keep_text

    def see_usage(self, event: dict[str, Any]) -> None:
        """Keep an event if it tells usage, in the place of an earlier one."""
        if event.get("usage") is not None:
            self._usage = event
        elif "x_groq" in event:
            groq = event["x_groq"]
            if type(groq) is dict and groq.get("usage") is not None:
                self._usage = event

    def _see_delta(self, delta: Any) -> None:
        for name in _TEXTS:
            value = delta.get(name)
            if value:
                self._begin(value)
        audio = delta.get("audio")
        if audio and (audio.get("data") or audio.get("transcript")):
            self._begin(None)
        for call in delta.get("tool_calls") or ():
            self._see_arguments(call.get("function") or call.get("custom"))
        self._see_arguments(delta.get("function_call"))

    def _see_arguments(self, called: Any) -> None:
        arguments = called and (called.get("arguments") or called.get("input"))
        if arguments:
            self._begin(arguments)

    def _begin(self, content: object) -> None:
        """Content came: it has begun if it had not, and is kept if it is a text that is wanted."""
        if self.began is None:
            self.began = monotonic()
        if self._keep_text and isinstance(content, str):
            self.text.append(content)

    def _see_event(self, event: dict[str, Any]) -> None:
        kind = event.get("type")
        if not isinstance(kind, str):
            self.failed = self.failed or bool(event.get("error"))
            self.see_usage(event)
        elif kind.endswith(".delta"):
            delta = event.get("delta")
            if delta:
                self._begin(delta)
        elif kind == "error":
            self.failed = True
        elif kind in _TERMINAL:
            self.complete = True
            self.failed = self.failed or _TERMINAL[kind]
            told = event.get("response")
            self.last = told if type(told) is dict else event
            self.see_usage(self.last)
        elif kind == "response.created":
            told = event.get("response")
            if self._first is None and type(told) is dict:
                self._first = told
