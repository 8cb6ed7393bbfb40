"""Does plans of one seed, up to the first that goes wrong."""

from functools import partial

from fuzz.formats.agreement import check_plan
from fuzz.formats.drawing import plan
from fuzz.formats.plan import Plan
from fuzz.formats.shorter import shortened, text_of
from fuzz.run import Result

SPREAD = 10**6
"""Plans that a seed could have."""


def run(number: int, count: int, url: str) -> Result:
    """Do `count` plans of seed `number`, each in namespaces of its own."""
    done = 0
    for at in range(count):
        drawn = plan(number * SPREAD + at)
        done += len(drawn.families)
        problem = _problem(drawn, url)
        if problem is not None:
            short = shortened(drawn, partial(_fails, url, type(problem)))
            text = f"seed {number}, plan {at}:\n{text_of(short)}\n{_problem(short, url)}"
            return Result(done, 0, text)
    return Result(done, 0)


def _fails(url: str, kind: type[Exception], drawn: Plan) -> bool:
    return isinstance(_problem(drawn, url), kind)


def _problem(drawn: Plan, url: str) -> Exception | None:
    try:
        check_plan(drawn, url)
    except Exception as error:  # noqa: BLE001  whatever is wrong with it
        return error
    return None
