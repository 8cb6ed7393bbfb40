"""The tokens of one call: as the API counts them, and as disjoint types whose sum is the total."""

from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Self, TypeVar

from fleetmeter.keywords import names_its_arguments
from fleetmeter.pricing.counts import MOST_TOKENS, count, members, shape_of
from fleetmeter.pricing.doubt import Doubt
from fleetmeter.pricing.plain import plain_usage
from fleetmeter.pricing.reading import Doubtful, Reading

_INPUT_KINDS = ("audio_in", "image_in")
_OUTPUT_KINDS = ("audio_out", "image_out")
_COUNTS = (
    *("prompt", "completion", "cached", "cache_write", "reasoning"),
    *(*_INPUT_KINDS, *_OUTPUT_KINDS, "cached_audio", "cached_image", "cache_write_1h", "cache_write_12h"),
)
_counts_of = attrgetter(*_COUNTS)
_WHOLE = {int}

U = TypeVar("U", bound="Usage")


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call as the API counts them: wholes, and the parts that they contain.

    `cached`, `cache_write`, `audio_in` and `image_in` are parts of `prompt`; `reasoning`, `audio_out` and `image_out`
    are parts of `completion`. `cached_audio` counts tokens that are both cached and audio; `cached_image` in the same
    way. `cache_write_1h` and `cache_write_12h` are the parts of `cache_write` that are kept for that long. The rest of
    it is kept for the shortest time that the provider offers. `kinds_in_stated` and `kinds_out_stated` say whether the
    answer stated how many tokens of that side are audio or images, even if it stated 0.

    Raises `ValueError` for a count that is no whole number from 0 up, and if parts exceed their whole.
    """

    prompt: int
    completion: int = 0
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0
    audio_in: int = 0
    audio_out: int = 0
    image_in: int = 0
    image_out: int = 0
    cached_audio: int = 0
    cached_image: int = 0
    cache_write_1h: int = 0
    cache_write_12h: int = 0
    kinds_in_stated: bool = field(default=False, compare=False, repr=False)
    kinds_out_stated: bool = field(default=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        counts = _counts_of(self)
        if set(map(type, counts)) != _WHOLE or min(counts) < 0 or max(counts) > MOST_TOKENS:
            for name, value in zip(_COUNTS, counts, strict=True):  # one by one takes as long as reading the usage
                if isinstance(value, float):  # an answer may hold 12.0, but a float in Python code is a mistake
                    problem = f"usage: {name} is {value!r}; expected a whole number of tokens, 0 or more"
                    raise ValueError(problem)  # noqa: TRY004 - it is the value that is wrong
                count(name, value)
        self._check_input()
        self._check_output()
        if self.cache_write_1h + self.cache_write_12h > self.cache_write:
            raise ValueError(
                f"usage: {self.cache_write_1h + self.cache_write_12h} tokens written for 1 or 12 hours exceed the "
                f"{self.cache_write} cache-write tokens that they are part of"
            )

    def _check_input(self) -> None:
        if self.cached + self.cache_write > self.prompt:
            raise ValueError(
                f"usage: {self.cached} cached and {self.cache_write} cache-write tokens exceed the "
                f"{self.prompt} prompt tokens that they are parts of; "
                "pass the API's own counts, not differences"
            )
        if self.cached_audio > self.audio_in or self.cached_image > self.image_in:
            raise ValueError("usage: more audio or image tokens were cached than there are")
        if self.cached_audio + self.cached_image > self.cached or self._text_in() < 0:
            raise ValueError(
                f"usage: {self.audio_in} audio, {self.image_in} image, {self.cached} cached and {self.cache_write} "
                f"cache-write tokens exceed the {self.prompt} prompt tokens that they are parts of"
            )

    def _check_output(self) -> None:
        if self.reasoning > self.completion:
            raise ValueError(
                f"usage: {self.reasoning} reasoning tokens exceed the {self.completion} completion tokens "
                "that they are part of; pass the API's own counts, not differences"
            )
        if self.reasoning + self.audio_out + self.image_out > self.completion:
            raise ValueError(
                f"usage: {self.reasoning} reasoning, {self.audio_out} audio and {self.image_out} image tokens exceed "
                f"the {self.completion} completion tokens that they are parts of"
            )

    def _text_in(self) -> int:
        """Prompt tokens that are neither cached nor written, neither audio nor image."""
        fresh_kinds = self.audio_in - self.cached_audio + self.image_in - self.cached_image
        return self.prompt - self.cached - self.cache_write - fresh_kinds

    @property
    def total(self) -> int:
        """Prompt and completion tokens together: the API's `total_tokens`."""
        return self.prompt + self.completion

    def disjoint(self) -> dict[str, int]:
        """Tokens by disjoint type, which is the value of the label `type`; their sum is `total`.

        There are always five types, and also `audio_in`, `audio_out`, `image_in` or `image_out` if there are such
        tokens. Cached audio counts as `cached`, as it does for the API.
        """
        if not (self.audio_in or self.image_in or self.audio_out or self.image_out):  # as below, in a third of the time
            return {
                "prompt": self.prompt - self.cached - self.cache_write,
                "cached": self.cached,
                "cache_write": self.cache_write,
                "completion": self.completion - self.reasoning,
                "reasoning": self.reasoning,
            }
        return {**self.disjoint_input(), **self.disjoint_output()}

    def disjoint_input(self) -> dict[str, int]:
        """The disjoint types of the prompt."""
        kinds = {"audio_in": self.audio_in - self.cached_audio, "image_in": self.image_in - self.cached_image}
        return {
            "prompt": self._text_in(),
            "cached": self.cached,
            "cache_write": self.cache_write,
            **{kind: tokens for kind, tokens in kinds.items() if tokens},
        }

    def disjoint_output(self) -> dict[str, int]:
        """The disjoint types of the completion."""
        kinds = {kind: getattr(self, kind) for kind in _OUTPUT_KINDS}
        return {
            "completion": self.completion - self.reasoning - sum(kinds.values()),
            "reasoning": self.reasoning,
            **{kind: tokens for kind, tokens in kinds.items() if tokens},
        }

    @classmethod
    def from_openai(cls, usage: object) -> Self:
        """The usage of an answer, read as by `read_usage`. Raises `ValueError` if it is in doubt."""
        found = _read(cls, usage, None)
        if isinstance(found, Doubt):
            raise ValueError(found.reason)  # noqa: TRY004 - it is the value that is in doubt
        return found


@names_its_arguments
def read_usage(raw: object, *, endpoint: str | None = None) -> Usage | Doubt:
    """The tokens of a `usage` from any server, which may be a mapping or an SDK's object. Never raises.

    It knows the shapes in `fleetmeter.pricing.shapes`. `endpoint` is the resource that answered, one of
    `fleetmeter.llm.vocabulary.API_ENDPOINTS`. Only `images` makes a difference: its completions are image tokens unless
    the usage says otherwise. If a count is not certain, the result is a `Doubt`, which holds the tokens that are. For
    None, which is no usage at all, nothing is certain. To read a whole answer, see `read_answer`.
    """
    return read_plainly(raw, endpoint)


def read_plainly(raw: object, endpoint: str | None) -> Usage | Doubt:
    """`read_usage`, with its arguments by position, for calls that are counted by the thousand."""
    found = None if endpoint == "images" else plain_usage(Usage, raw)
    return _read(Usage, raw, endpoint) if found is None else found


def _read(cls: type[U], raw: object, endpoint: str | None) -> U | Doubt:
    try:
        try:
            return _read_sides(cls, raw, endpoint)
        except ValueError as error:
            return Doubt(_kind(error), shape_of(raw), str(error))
    except Exception as error:  # noqa: BLE001 - an object of somebody else's may do anything when it is read
        reason = f"usage: cannot be read: {type(error).__name__}"
        return Doubt("unreadable", f"the type {type(raw).__name__}"[:80], reason)


def _read_sides(cls: type[U], raw: object, endpoint: str | None) -> U | Doubt:
    reading = Reading(members(raw) or {}, endpoint)
    sides: list[dict[str, Any]] = []
    problems: list[ValueError] = []
    for take in (reading.take_input, reading.take_output):
        try:
            sides.append(take())
        except ValueError as error:
            problems.append(error)
    if not problems:
        counts = reading.agree(*sides)  # if this raises, nothing is certain
        try:
            return cls(**counts)
        except ValueError as error:
            problems.append(error)
    certain: dict[str, int] = {}
    for side in sides:
        certain.update(_certain(cls, side))
    return Doubt(_kind(problems[0]), shape_of(raw), str(problems[0]), certain, reading.total if certain else None)


def _certain(cls: type[Usage], side: dict[str, Any]) -> dict[str, int]:
    """The disjoint types of one side; empty if it contradicts itself."""
    counts: dict[str, Any] = {"prompt": 0, **side}
    try:
        alone = cls(**counts)
    except ValueError:
        return {}
    return alone.disjoint_input() if "prompt" in side else alone.disjoint_output()


def _kind(error: ValueError) -> str:
    return error.kind if isinstance(error, Doubtful) else "bad_count"
