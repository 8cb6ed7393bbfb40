"""What the choice of an intent costs, by the packaged rules: for texts of several languages and lengths.

    make bench ONLY=routing

Each text is one that no rule fits, or that a rule of the last words fits, so that all rules are tried. Times are
processor time of one decision, of the cheapest of many loops.
"""
# ruff: noqa: RUF001 - letters of other alphabets are what is measured

from collections.abc import Callable
from random import Random
from time import process_time

from bench.tables import judged, show
from fleetmeter_app.config.gateway import GatewayConfig
from fleetmeter_app.routing.intents import IntentClassifier

LIMIT = 20.0
"""Microseconds of a decision, for a text of 100 words."""

LENGTHS, JUDGED = (5, 20, 100, 1_000), 100
TURNS, CALLS = 200, 10

_ENGLISH = (
    "the of and a to in that it was for on are as with his they at be this from have or by one had not but all were we "
    "when your can said there use an each which she do how if will other about out many then them these so some her "
    "would make like him into time has look two more write go see number no way could people my than first water been "
    "call who its now find long come made part what why is much"
)
_GERMAN = (
    "der die und in für den von zu das mit sich des auf ist im dem nicht ein eine als auch es an werden aus er hat "
    "dass sie nach wird bei einer um am sind noch wie einem über so zum kann nur größe während könnte müssen schön früh"
)
_TURKISH = (
    "bir ve bu için çok ama daha gibi ile kadar sonra ne olarak var yok değil iyi nasıl zaman şey böyle kız altın "
    "sıcak İstanbul ışık küçük büyük öğle çünkü"
)
_RUSSIAN = (
    "и в не на я быть он с что а по это она этот к но они мы весь который из у вы так за от то как бы мочь свой год "
    "время рука дело раз очень"
)
_CHINESE = "今天 天气 我们 应该 如何 看待 未来 走势 请 给出 你的 分析 意见 为什么 会 发生 变化"
_SIGNS = f"{_ENGLISH} don’t — “so” … naïve café"

TEXTS: dict[str, tuple[str, str, str]] = {
    "English": (_ENGLISH, " ", ""),
    "English, keyword at the end": (_ENGLISH, " ", " prices"),
    "English, keyword of two words at the end": (_ENGLISH, " ", " market cap"),
    "English, pattern at the end": (_ENGLISH, " ", " what has happened"),
    "English with other signs": (_SIGNS, " ", ""),
    "English with other signs, keyword at the end": (_SIGNS, " ", " prices"),
    "German": (_GERMAN, " ", ""),
    "German, keyword at the end": (_GERMAN, " ", " news"),
    "Turkish": (_TURKISH, " ", ""),
    "Russian": (_RUSSIAN, " ", ""),
    "Chinese": (_CHINESE, "", ""),
    "Chinese, keyword at the end": (_CHINESE, "", " RSI"),
}
"""Words, what stands between them, and the end."""


def main() -> None:
    """Print the table."""
    classify = IntentClassifier(GatewayConfig.load()).classify
    dice = Random(0)
    texts = {
        (name, length): between.join(dice.choices(words.split(), k=length)) + end
        for name, (words, between, end) in TEXTS.items()
        for length in LENGTHS
    }
    least = dict.fromkeys(texts, float("inf"))
    for _ in range(TURNS):  # they take turns, so that what else the machine does meets all
        for place, text in texts.items():
            least[place] = min(least[place], _microseconds(classify, text))
    show(
        "routing: µs of one decision by the packaged rules, by kind of text and its words",
        ["text", *(f"{length:,}" for length in LENGTHS), f"{JUDGED} words, x of {LIMIT:g} µs"],
        [
            [name, *(f"{least[name, length]:.1f}" for length in LENGTHS), f"{least[name, JUDGED] / LIMIT:.2f}"]
            for name in TEXTS
        ],
        [judged(f"µs of a decision, {JUDGED} words", max(least[name, JUDGED] for name in TEXTS), LIMIT)],
    )


def _microseconds(classify: Callable[[str], str], text: str) -> float:
    started = process_time()
    for _ in range(CALLS):
        classify(text)
    return (process_time() - started) / CALLS * 1e6
