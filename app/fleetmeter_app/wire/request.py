"""A request in OpenAI's format: read once, passed on as it came but for the fields that the gateway has to set."""

import json
import re
from collections.abc import Mapping
from typing import Any, Self

from fleetmeter_app.errors import InvalidRequestError
from fleetmeter_app.wire.nesting import MOST_LEVELS, is_too_deep

_decoder = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*")
_LONGEST_MODEL = 256


class JsonRequest:
    """A JSON object and where each of its fields stands in the text, so that one can be changed and the rest kept.

    Numbers, escapes and the order of fields reach the upstream as the client wrote them. Of a field that is there
    twice the last one counts, and the others are left out.
    """

    __slots__ = ("_end", "_spans", "_text", "body", "fields")

    def __init__(
        self, body: bytes, text: str, fields: dict[str, Any], spans: dict[str, tuple[int, int]], end: int
    ) -> None:
        self.body = body
        self._text = text
        self._spans = spans
        self._end = end
        self.fields = fields

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read a body; `InvalidRequestError` for what is no JSON object."""
        try:
            request = cls._read(body, body.decode())
        except RecursionError as error:
            raise _too_deep() from error
        except ValueError as error:
            raise InvalidRequestError(f"The body is no JSON: {error}.", code="malformed_json") from error
        if is_too_deep(body, request.fields):
            raise _too_deep()
        return request

    @classmethod
    def _read(cls, body: bytes, text: str) -> Self:
        at = _after_space(text, 0)
        if text[at : at + 1] != "{":
            _decoder.decode(text)  # what is no JSON at all is told as such
            raise InvalidRequestError("The body is no JSON object.", code="invalid_body")
        fields: dict[str, Any] = {}
        spans: dict[str, tuple[int, int]] = {}
        at = _after_space(text, at + 1)
        if text[at : at + 1] != "}":
            while True:
                start = at
                name, at = _decoder.raw_decode(text, at)
                if not isinstance(name, str):
                    raise json.JSONDecodeError("a field's name is no text", text, start)
                at = _expect(text, at, ":")
                value, at = _decoder.raw_decode(text, at)
                fields[name] = value
                if name in spans:
                    return cls._plainly(_decoder.decode(text))
                spans[name] = (start, at)
                at = _after_space(text, at)
                if text[at : at + 1] == "}":
                    break
                at = _expect(text, at, ",")
        if _after_space(text, at + 1) != len(text):
            raise json.JSONDecodeError("there is more after the object", text, at + 1)
        return cls(body, text, fields, spans, at)

    @classmethod
    def _plainly(cls, document: Any) -> Self:
        """The request written anew, for one that names a field twice, or that the gateway makes itself."""
        text = json.dumps(document)
        return cls._read(text.encode(), text)

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        """A request of the gateway's own."""
        return cls._plainly(fields)

    def with_fields(self, changes: Mapping[str, Any]) -> bytes:
        """The body with these fields set to these values; None takes a field out."""
        pieces: list[str] = []
        at = 0
        left = len(self._spans) - sum(name in self._spans for name in changes)
        kept = left
        for start, end, name in sorted((*self._spans[name], name) for name in changes if name in self._spans):
            pieces.append(self._text[at:start])
            if changes[name] is None:
                at = self._past_comma(end, pieces)
            else:
                pieces.append(_field(name, changes[name]))
                at = end
                kept += 1
        pieces.append(self._text[at : self._end])
        for name, value in changes.items():
            if name not in self._spans and value is not None:
                pieces.append(("," if kept else "") + _field(name, value))
                kept += 1
        pieces.append("}")
        return "".join(pieces).encode("utf-8", "surrogatepass")

    def _past_comma(self, end: int, pieces: list[str]) -> int:
        """Where the text goes on after a field that was taken out, with the comma that belongs to it."""
        after = _after_space(self._text, end)
        if self._text[after] == ",":
            return _after_space(self._text, after + 1)
        before = "".join(pieces).rstrip(" \t\n\r")  # it is the last field: the comma before it goes
        pieces[:] = [before.removesuffix(",")]
        return after

    @property
    def model(self) -> str:
        """The model that is asked for; `InvalidRequestError` without one."""
        model = self.fields.get("model")
        if not isinstance(model, str) or not model or len(model) > _LONGEST_MODEL or not model.isprintable():
            raise InvalidRequestError("You must provide a model parameter, as text.", param="model")
        return model

    @property
    def stream(self) -> bool:
        """Whether the answer is wanted as a stream; `InvalidRequestError` for anything but a boolean."""
        stream = self.fields.get("stream")
        if stream is not None and not isinstance(stream, bool):
            raise InvalidRequestError("'stream' must be true or false.", param="stream", code="invalid_type")
        return bool(stream)


def _too_deep() -> InvalidRequestError:
    return InvalidRequestError(
        f"The body's lists and objects are nested too deeply; at most {MOST_LEVELS} may be within each other.",
        code="malformed_json",
    )


def _field(name: str, value: Any) -> str:
    return f"{json.dumps(name)}:{json.dumps(value, separators=(',', ':'))}"


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _expect(text: str, at: int, sign: str) -> int:
    at = _after_space(text, at)
    if text[at : at + 1] != sign:
        raise json.JSONDecodeError(f"expected {sign!r}", text, at)
    return _after_space(text, at + 1)
