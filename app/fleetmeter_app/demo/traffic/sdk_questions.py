"""The requests that the load makes with OpenAI's SDK, of every kind that the gateway serves below `/v1`."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from fleetmeter_app.config.chains import AUTO
from fleetmeter_app.config.gateway import GatewayConfig
from fleetmeter_app.demo.gateway_toml import EMBEDDING, SYMBOL, UNSTABLE
from fleetmeter_app.demo.teams import TRIAL, WORKING
from fleetmeter_app.demo.traffic.questions import Subjects
from fleetmeter_app.routing.router import ModelRouter
from fleetmeter_app.upstream.ledger import BilledUsage


class Kind(Enum):
    """What is asked for."""

    CHAT = "chat"
    STREAM = "stream"
    LEFT_TOLD = "stream left, usage told"
    LEFT_UNTOLD = "stream left, usage not told"
    TOOLS = "tools"
    RESPONSE = "response"
    RESPONSE_STREAM = "response stream"
    EMBEDDINGS = "embeddings"
    UNSTABLE = "chat with a model that is down"
    WRONG_KEY = "chat with a wrong key"


@dataclass(frozen=True)
class SdkQuestion:
    """One request: what is asked of which model, and by whom.

    `chain` has the models that may answer, in the order in which the gateway tries them. `key` identifies a request
    that may be repeated; it is None for one that never is. `most_tokens` bounds the answer.
    """

    kind: Kind
    team: str
    text: str
    model: str
    chain: tuple[str, ...]
    intent: str | None = None
    key: str | None = None
    most_tokens: int | None = None


LEFT_AFTER = 4
"""Parts of the answer after which a client leaves a stream whose usage is told with each part."""

LEFT_USAGE = BilledUsage(prompt=80, completion=16)
"""What was used by then: the upstream states 40 tokens of completion, in ten events of which four have come."""

_LEFT_TOLD = f"[[usage:prompt=80,completion=40]] [[answer:stream=cont,chunks=8,stall={LEFT_AFTER + 1}]]"
_LEFT_UNTOLD = "[[usage:prompt=60,completion=40]] [[answer:chunks=2,stall=2]]"
"""The upstream sends half of its answer and falls silent, until the client leaves."""

_PARTS = "[[answer:chunks=8]]"
"""An answer in eight parts: enough for a stream, and little work for a small machine."""

_DEAR = "[[usage:prompt=1000,completion=300]]"
"""Half a cent at the premium tier."""

_DOWN = 6
_ROUND = 18
"""The unstable model is down for so many of its questions, out of this many."""


class SdkQuestions:
    """Makes requests of each kind; the same for the same seed."""

    def __init__(self, config: GatewayConfig, seed: int) -> None:
        self._intents = tuple(config.intents)
        self._tiers = tuple(config.tiers)[:-1]  # the last one is a reserve, which nobody asks for by name
        self._default = config.default_intent
        self._router = ModelRouter(config)
        self._subjects = Subjects(seed, WORKING)
        self._unstable = 0

    def kinds(self) -> list[tuple[int, Callable[[], SdkQuestion]]]:
        """Who makes each kind, and how many of each are asked for one of the others."""
        return [
            (8, lambda: self._repeat(Kind.CHAT)),
            (4, lambda: self._new(Kind.CHAT)),
            (6, lambda: self._repeat(Kind.STREAM, _PARTS)),
            (5, lambda: self._new(Kind.STREAM, _PARTS)),
            (2, lambda: self._new(Kind.LEFT_TOLD, _LEFT_TOLD)),
            (2, lambda: self._new(Kind.LEFT_UNTOLD, _LEFT_UNTOLD)),
            (3, lambda: self._new(Kind.TOOLS, f'[[call:latest_quote {{"symbol": "{SYMBOL}"}}]]')),
            (3, lambda: self._repeat(Kind.RESPONSE)),
            (3, lambda: self._new(Kind.RESPONSE_STREAM, _PARTS)),
            (5, self._embeddings),
            (6, self._trial),
            (5, self._down),
            (1, lambda: self._new(Kind.WRONG_KEY)),
        ]

    def _repeat(self, kind: Kind, marks: str = "") -> SdkQuestion:
        """A popular question, whose intent chooses the model."""
        text = f"{self._subjects.popular()} {marks}".rstrip()
        intent = self._subjects.draw.choice(self._intents)
        chain = self._chain(AUTO, intent)
        return SdkQuestion(
            kind, self._subjects.team(), text, AUTO, chain, intent, key=f"{kind.value} {chain[0]} {text}"
        )

    def _new(self, kind: Kind, marks: str = "") -> SdkQuestion:
        """A new question to a tier."""
        tier = self._subjects.draw.choice(self._tiers)
        text = f"{self._subjects.fresh()} {marks}".rstrip()
        return SdkQuestion(kind, self._subjects.team(), text, tier, self._chain(tier))

    def _embeddings(self) -> SdkQuestion:
        text = self._subjects.popular()
        return SdkQuestion(
            Kind.EMBEDDINGS, self._subjects.team(), text, EMBEDDING, self._chain(EMBEDDING),
            key=f"{Kind.EMBEDDINGS.value} {text}",
        )  # fmt: skip

    def _trial(self) -> SdkQuestion:
        text = f"{self._subjects.fresh()} {_DEAR}"
        return SdkQuestion(Kind.CHAT, TRIAL.name, text, "premium", self._chain("premium"), most_tokens=300)

    def _down(self) -> SdkQuestion:
        self._unstable += 1
        fault = " [[fault:503]]" if (self._unstable - 1) % _ROUND < _DOWN else ""
        text = self._subjects.fresh() + fault
        return SdkQuestion(Kind.UNSTABLE, self._subjects.team(), text, UNSTABLE, self._chain(UNSTABLE))

    def _chain(self, model: str, intent: str | None = None) -> tuple[str, ...]:
        return tuple(step.model for step in self._router.select(model, intent or self._default).steps)
