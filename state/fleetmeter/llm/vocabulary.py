"""What may become a label value: fixed sets, configured sets, and a bounded number of learned names.

A value that is not admitted becomes `other`, so that no prompt, user, key or error text is ever a label and
the number of series stays bounded, whatever the callers pass in.

Fixed sets are constants here. Models, intents, tiers and tools are closed once `configure()` has named
them. Until then, and for error types and endpoints always, a label learns: it admits names of at most 64
ASCII characters without spaces, as they come, up to a fixed number of different ones, and `other` after
that. Learning is per process.
"""

import logging
import re
from collections.abc import Callable, Collection, Iterable
from threading import Lock

OTHER = "other"
"""Stands for every value that is not admitted."""

FALLBACK_REASONS = (
    "model_not_found",
    "rate_limited",
    "timeout",
    "upstream_error",
    "context_length",
    "circuit_open",
    "over_budget",
)
CACHE_RESULTS = {"get": ("hit", "miss", "expired", "error"), "put": ("stored", "refused", "error")}
"""The results of each cache operation."""
EVICTION_REASONS = ("capacity", "expired", "invalidated")
SAVINGS_SOURCES = ("routing", "prompt_cache")
TOKEN_TYPES = (
    *("prompt", "cached", "cache_write", "completion", "reasoning"),
    *("audio_in", "audio_out", "image_in", "image_out"),
)
"""Disjoint; those of the second row exist only for models whose answers state them."""
TOOL_STATUSES = ("success", "error", "timeout")
ABORT_USAGES = ("reported", "estimated", "unknown")
BUDGET_ACTIONS = ("reject", "downgrade", "alert")
BUDGET_WINDOWS = ("hour", "day", "month")
HEDGE_ANSWERS = ("first", "second", "none")
CIRCUIT_STATES = ("closed", "half_open", "open")
"""In the order of the numbers that `model_circuit_state` shows."""
KEY_REJECTIONS = (
    *("missing", "malformed", "unknown", "revoked", "no_keys"),
    *("model", "budget", "rate_limited", "unavailable"),
)
"""Why the gateway refused a caller."""
API_ENDPOINTS = (
    "chat.completions",
    "responses",
    "completions",
    "embeddings",
    "moderations",
    "images",
    "videos",
    "audio.speech",
    "audio.transcriptions",
    "audio.translations",
    "realtime",
    "batches",
    "files",
    "uploads",
    "models",
    "fine_tuning",
    "vector_stores",
    "conversations",
    "containers",
)
"""Resources of the openai SDK by their attribute path on the client, as far as a service is charged or waits for it."""
OPENAI_ERROR_TYPES = (
    "APIConnectionError",
    "APIError",
    "APIResponseValidationError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "ConflictError",
    "ContentFilterFinishReasonError",
    "InternalServerError",
    "LengthFinishReasonError",
    "NotFoundError",
    "OAuthError",
    "OpenAIError",
    "PermissionDeniedError",
    "RateLimitError",
    "UnprocessableEntityError",
)
"""The openai SDK's exception classes that a call can end in."""

_NAME = re.compile(r"[A-Za-z0-9_/][A-Za-z0-9_./:{}-]{0,63}")
_log = logging.getLogger(__name__)
_complained: set[str] = set()


def member(value: object, allowed: Collection[str], label: str) -> str:
    """The value as a plain string if it is one of `allowed`, otherwise `other`; complains once for each label."""
    if isinstance(value, str) and value in allowed:
        return str.__str__(value)  # a str Enum is labelled by its value
    if value != OTHER and label not in _complained:
        _complained.add(label)
        _log.warning(
            "a value of %s is unknown and is counted as %r; expected one of: %s. Further ones are counted silently",
            label,
            OTHER,
            ", ".join(allowed),
        )
    return OTHER


class LabelSet:
    """The values of one label: those that were named, or else the first `limit` names that come."""

    def __init__(self, name: str, limit: int) -> None:
        self._name = name
        self._limit = limit
        self._lock = Lock()
        self._closed = False
        self._values: set[str] = set()
        self._complained = False

    @property
    def values(self) -> frozenset[str]:
        """The values that are admitted now, `other` not among them."""
        with self._lock:
            return frozenset(self._values)

    def __contains__(self, value: object) -> bool:
        return value in self._values

    def close(self, values: Iterable[str]) -> None:
        """Admit exactly these from now on."""
        if isinstance(values, str):
            raise TypeError(f"{self._name}: {values!r} is one string; pass a list or a set of names")
        with self._lock:
            self._values = set(values) - {OTHER}
            self._closed = True

    def admit(self, value: object) -> str:
        """The value itself where it is admitted, otherwise `other`; never raises."""
        if not isinstance(value, str):
            return OTHER
        text = str.__str__(value)
        if text in self._values or (text != OTHER and self._learn(text)):
            return text
        if text != OTHER and not self._complained:
            self._complained = True
            _log.warning(
                "a value of the label %s is not among the %d admitted ones and is counted as %r; "
                "name the values with fleetmeter.llm.configure()",
                self._name,
                len(self._values),
                OTHER,
            )
        return OTHER

    def _learn(self, text: str) -> bool:
        if not _NAME.fullmatch(text):
            return False
        with self._lock:
            if not self._closed and len(self._values) < self._limit:
                self._values.add(text)
            return text in self._values


class Vocabulary:
    """The open labels of the catalogue; one instance, `VOCABULARY`, serves the record helpers.

    The limits keep the largest products near the default bound of 10,000 series in a family.
    """

    def __init__(self) -> None:
        self.edition = object()
        """Another object after each `configure`: until then a value that was admitted once is admitted."""
        self._models = LabelSet("model", 40)
        self._normalise: Callable[[str], str] = str
        self._complained = False
        self.intents = LabelSet("intent", 40)
        self.tiers = LabelSet("tier", 8)
        self.tools = LabelSet("tool_name", 100)
        self.budgets = LabelSet("budget", 100)
        self.error_types = LabelSet("type", 50)
        self.endpoints = LabelSet("endpoint", 100)

    def configure(
        self,
        *,
        models: Iterable[str] | None = None,
        intents: Iterable[str] | None = None,
        tiers: Iterable[str] | None = None,
        tools: Iterable[str] | None = None,
        normalise: Callable[[str], str] | None = None,
    ) -> None:
        """Close the sets that are given; None leaves a set as it is.

        `normalise` turns a model's name into the one to count under, before the set is asked:
        `PriceList.normalise` makes one series of a model and its dated snapshots.
        """
        given = ((self._models, models), (self.intents, intents), (self.tiers, tiers), (self.tools, tools))
        for labels, values in given:
            if values is not None:
                labels.close(values)
        if normalise is not None:
            self._normalise = normalise
        self.edition = object()

    @property
    def models(self) -> frozenset[str]:
        """The models that are admitted now."""
        return self._models.values

    def model(self, name: object) -> str:
        """The label value for a model's name as the API gives it; never raises."""
        if not isinstance(name, str) or name in self._models:
            return self._models.admit(name)
        try:
            name = self._normalise(name)
        except Exception:  # noqa: BLE001 - a caller's function must not break a call that is already paid for
            if not self._complained:
                self._complained = True
                _log.exception("normalise() failed; models are counted under the names they come with")
        return self._models.admit(name)


VOCABULARY = Vocabulary()
