"""Random stories of namespaces: hypothesis chooses which, and of one that goes wrong finds a short one."""

from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, composite
from prometheus_client.openmetrics.exposition import ALLOWUTF8, DOTS, UNDERSCORES, VALUES

from fleetmeter_exporter.exposition.formats import TEXT, Format
from fuzz import drawing
from fuzz.dice import Dice
from fuzz.namespace import Namespace

SCHEMES = (UNDERSCORES, ALLOWUTF8, DOTS, VALUES)

FORMATS = (TEXT, *(Format(openmetrics, "1.0.0", scheme) for openmetrics in (False, True) for scheme in SCHEMES))
"""Everything that can be asked for."""

_SEEDS = st.integers(0, 2**32)
_MOMENTS = 2
"""How often things change in a story."""


@dataclass(frozen=True)
class Story:
    """Namespaces at some moments, and how somebody asks for them at each; `asked` picks the names to restrict to."""

    form: Format
    created: bool
    moments: tuple[tuple[Namespace, ...], ...]
    asked: tuple[int, ...] = ()

    @property
    def families(self) -> int:
        """How many families there are, before anything changes."""
        return sum(len(namespace.families) for namespace in self.moments[0])


@composite
def _stories(draw: DrawFn, most: int) -> Story:
    first = []
    for name in ("shop", "blog")[: draw(_COUNTS)]:
        made = drawing.namespace(Dice(draw(_SEEDS)), name)
        seed = draw(_SEEDS)
        for place in range(draw(st.integers(1, most))):
            drawing.family(Dice(seed + place), made)
        first.append(made)
    moments = [tuple(first)]
    for _ in range(_MOMENTS):
        seed = draw(_SEEDS)  # 0, which is what hypothesis tries to get at, changes nothing
        now = [drawing.later(Dice(seed + place), made) if seed else made for place, made in enumerate(moments[-1])]
        moments.append(tuple(now))
    return Story(draw(_FORMS), draw(_CREATED), tuple(moments), tuple(draw(_ASKED)))


_COUNTS = st.sampled_from((1, 1, 2))
_FORMS = st.sampled_from(FORMATS)
_CREATED = st.booleans()
_ASKED = st.one_of(st.just(()), st.just(()), st.lists(st.integers(0, 100), min_size=1, max_size=2))


def stories(most: int = 12) -> "st.SearchStrategy[Story]":
    """Up to two namespaces of up to `most` families each, now and at two moments after."""
    return _stories(most)
