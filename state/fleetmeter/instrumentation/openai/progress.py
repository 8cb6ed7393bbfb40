"""How far a stream has come: whether content has begun, whether it is complete, whether it told of an error."""

from typing import Any

_TERMINAL = {"response.completed": False, "response.incomplete": False, "response.failed": True}
"""Events that end a response; whether they tell of an error."""

_CONTENT = ("content", "tool_calls", "refusal", "reasoning_content", "reasoning", "audio", "function_call")
"""Parts of a chat delta that are content, if they are not empty."""


class Progress:
    """Takes in the parsed events of one stream. The last usage that is stated counts; it is never added up.

    `parts` are the events that have to be read for model, tier and usage: most chunks of a stream say nothing of them.
    """

    __slots__ = ("_keep_text", "_model_known", "complete", "failed", "has_content", "parts", "text")

    def __init__(self, *, keep_text: bool) -> None:
        self.has_content = self.complete = self.failed = False
        self.parts: list[Any] = []
        self.text: list[str] = []
        """The delivered text, if it is wanted for an estimate."""
        self._keep_text = keep_text
        self._model_known = False

    def see(self, event: Any) -> None:
        """Take in an event: a chunk of a chat stream, or an event of a response."""
        if type(event) is not dict:
            return
        choices = event.get("choices")
        if choices is None:
            self._see_response_event(event)
            return
        if event.get("usage") is not None or "x_groq" in event or not self._model_known:
            self._keep(event)
        for choice in choices:
            if choice.get("finish_reason") is not None:
                self.complete = True
            if not self.has_content or self._keep_text:
                self._see_delta(choice.get("delta") or choice)

    def _keep(self, event: Any) -> None:
        """Keep an event for later; two are enough: the first with a model, and the last with usage."""
        if event.get("model"):
            self._model_known = True
        if len(self.parts) > 1:
            del self.parts[1:]
        self.parts.append(event)

    def _see_delta(self, delta: Any) -> None:
        for name in _CONTENT:
            value = delta.get(name)
            if value:
                self.has_content = True
                if self._keep_text and isinstance(value, str):
                    self.text.append(value)
        text = delta.get("text")  # of the older completions
        if text:
            self.has_content = True
            if self._keep_text and isinstance(text, str):
                self.text.append(text)

    def _see_response_event(self, event: dict[str, Any]) -> None:
        kind = event.get("type")
        if not isinstance(kind, str):
            if event.get("usage") is not None or event.get("error"):
                self.failed = self.failed or bool(event.get("error"))
                self._keep(event)
            return
        if kind.endswith(".delta"):
            delta = event.get("delta")
            if delta:
                self.has_content = True
                if self._keep_text and isinstance(delta, str):
                    self.text.append(delta)
        elif kind == "error":
            self.failed = True
        elif kind in _TERMINAL or kind == "response.created":
            if kind != "response.created":
                self.complete = True
                self.failed = self.failed or _TERMINAL[kind]
            self._keep(event.get("response") if isinstance(event.get("response"), dict) else {})
