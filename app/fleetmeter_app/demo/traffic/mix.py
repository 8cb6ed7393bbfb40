"""The mix of the load: which kind of request comes next."""

from typing import TYPE_CHECKING

from fleetmeter_app.config.gateway import GatewayConfig
from fleetmeter_app.demo.teams import WORKING
from fleetmeter_app.demo.traffic.questions import Question, Questions
from fleetmeter_app.demo.traffic.sdk_questions import SdkQuestion, SdkQuestions

if TYPE_CHECKING:
    from collections.abc import Callable

Request = Question | SdkQuestion


class Mix:
    """An endless mix of requests, the same for the same seed.

    Each kind comes at nearly equal distances, so that a short demo has all of them. Without `ours`, because real models
    answer, there are only plain questions to `/ask`: the other ones rely on the demo's own upstream and on keys.
    """

    def __init__(self, config: GatewayConfig, *, ours: bool, seed: int = 7) -> None:
        kinds: list[tuple[int, Callable[[], Request]]] = [
            *Questions(config, seed, WORKING if ours else ()).kinds(trouble=ours)
        ]
        if ours:
            kinds += SdkQuestions(config, seed + 1).kinds()
        self._kinds = kinds
        self._whole = sum(share for share, _ in kinds)
        self._credits = [0] * len(kinds)

    def next(self) -> Request:
        """The next request to make: of the kind that is furthest behind its share."""
        for place, (share, _) in enumerate(self._kinds):
            self._credits[place] += share
        place = self._credits.index(max(self._credits))
        self._credits[place] -= self._whole
        _, make = self._kinds[place]
        return make()
