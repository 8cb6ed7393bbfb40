"""Reads what an answer states about itself (model, tier, tokens), from one body or from the parts of a stream."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fleetmeter.keywords import names_its_arguments
from fleetmeter.pricing.counts import members
from fleetmeter.pricing.doubt import Doubt
from fleetmeter.pricing.usage import Usage, read_plainly

LONGEST_NAME = 256
"""Characters of a model's or tier's name that are kept, which no real one has: those of fine-tunes have about 100."""
_BARE = ("prompt_tokens", "input_tokens")
"""An object with one of these members is a bare usage, not an answer that contains one."""
_BESIDE = ("id", "model", "service_tier")
"""Members that may stand beside the counts of a bare usage."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The statements of an answer. `usage` is None if it states none, which is not the same as 0 tokens."""

    model: str = ""
    """The model that answered, as the server names it; empty if it does not."""
    tier: str | None = None
    """`service_tier` of the answer, `batch` for answers of a batch; None if it states none."""
    usage: Usage | Doubt | None = None
    id: str | None = None
    """The answer's own id, the same each time it is retrieved; None if it has none."""


@names_its_arguments
def read_answer(raw: object, *, endpoint: str | None = None) -> Answer:
    """Model, tier and tokens of an answer, which may be a mapping or an SDK's object. Never raises.

    It reads bodies of every endpoint, chunks and events of streams, realtime events, a batch, the lines of a batch's
    output file, and a bare usage with or without a model beside it. For `endpoint`, see `read_usage`.
    """
    plain = _plain_answer(raw, endpoint)
    if plain is not None:
        return plain
    stream = StreamedAnswer(endpoint=endpoint)
    try:
        stream.see(raw if type(raw) is dict and raw.get("usage") is not None else _bare(raw))
    except Exception:  # noqa: BLE001 - an object of somebody else's may do anything when it is read
        return Answer()
    return stream.answer()


def _plain_answer(raw: object, endpoint: str | None) -> Answer | None:
    """The answer in a body that names a model and states a usage, as nearly all do; None for any other."""
    if type(raw) is not dict:
        return None
    get = raw.get
    model, tier, identity, usage = get("model"), get("service_tier"), get("id"), get("usage")
    if (
        type(model) is str
        and 0 < len(model) <= LONGEST_NAME
        and (tier is None or (type(tier) is str and 0 < len(tier) <= LONGEST_NAME))
        and (identity is None or (type(identity) is str and 0 < len(identity) <= LONGEST_NAME))
        and type(usage) is dict
        and get("response") is None
        and get("object") != "batch"
    ):
        return Answer(model, tier, read_plainly(usage, endpoint), identity)
    return None


class StreamedAnswer:
    """Collects the parts of a stream: the first model, the last tier and the last usage.

    Usages are never added up, because some servers repeat a running total on each chunk: 10, 20 and 30 tokens are 30.
    """

    __slots__ = ("_endpoint", "_id", "_model", "_tier", "_usage")

    @names_its_arguments
    def __init__(self, *, endpoint: str | None = None) -> None:
        self._endpoint = endpoint
        self._id: str | None = None
        self._model = ""
        self._tier: str | None = None
        self._usage: object = None

    def see(self, part: object) -> None:
        """Read a chunk, an event or a whole body. Never raises."""
        try:
            self._see(part)
        except Exception:  # noqa: BLE001 - an object of somebody else's may do anything when it is read
            return

    def answer(self) -> Answer:
        """The answer as it was stated so far."""
        usage = None if self._usage is None else read_plainly(self._usage, self._endpoint)
        return Answer(self._model, self._tier, usage, self._id)

    def stated(self) -> dict[str, Any]:
        """The same as a body states it, with the usage as it came."""
        return {"id": self._id, "model": self._model, "service_tier": self._tier, "usage": self._usage}

    def _see(self, part: object) -> None:
        get = part.get if type(part) is dict else _reader(part)
        inner = get("response")
        if inner is not None and not isinstance(inner, str):
            body = _reader(inner)("body")
            if body is not None:  # a line of a batch's output file
                self._tier = "batch"
            get = _reader(inner if body is None else body)
        if not self._model:
            self._model = _name(get("model")) or ""
        if self._id is None:
            self._id = _name(get("id"))
        tier = get("service_tier")
        if tier is not None and self._tier != "batch":
            self._tier = _name(tier) or self._tier
        usage = get("usage")
        if usage is None:
            groq = get("x_groq")
            usage = None if groq is None else _reader(groq)("usage")
        if usage is not None:
            self._usage = usage
            if get("object") == "batch":
                self._tier = "batch"


def _bare(raw: object) -> object:
    """A bare usage as an answer with that usage; anything else as it is."""
    found = members(raw)
    if found is None or not any(found.get(name) is not None for name in _BARE) or found.get("usage") is not None:
        return raw
    return {
        **{name: found.get(name) for name in _BESIDE},
        "usage": {k: v for k, v in found.items() if k not in _BESIDE},
    }


def _reader(source: object) -> Callable[[str], Any]:
    """What gives the members of a mapping or of an object by name, and None for one that is not there."""
    if type(source) is dict:
        return source.get
    if hasattr(type(source), "__pydantic_fields__"):  # asking pydantic for a member that is not there takes 1 µs
        own: dict[str, Any] = source.__dict__
        extra = getattr(source, "__pydantic_extra__", None) or {}
        return lambda name: own[name] if name in own else extra.get(name)
    if isinstance(source, Mapping):
        return source.get
    return lambda name: getattr(source, name, None)


def _name(value: object) -> str | None:
    """A name that can be used: a text that is not empty, cut to a bounded length."""
    if type(value) is str and len(value) <= LONGEST_NAME:
        return value or None
    return str.__getitem__(value, slice(LONGEST_NAME)) if isinstance(value, str) and value else None
