"""Runs stories of one seed, up to the first that goes wrong."""

from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, given, seed, settings
from prometheus_client.openmetrics.exposition import ALLOWUTF8

from fuzz.promtool import Promtool
from fuzz.property import check_story
from fuzz.shortening import shortened, text_of
from fuzz.story import Story, stories


@dataclass(frozen=True)
class Result:
    """What came of a run: how many families there were, how many of them promtool read, and what went wrong if any."""

    families: int
    read_by_promtool: int
    failure: str = ""

    def with_(self, other: "Result") -> "Result":
        """Both together; of two failures the first."""
        read = self.read_by_promtool + other.read_by_promtool
        return Result(self.families + other.families, read, self.failure or other.failure)

    def __str__(self) -> str:
        return f"{self.families} families, {self.read_by_promtool} of them read by promtool"


def run(number: int, count: int, promtool: str | None) -> Result:
    """Tell `count` stories of seed `number`; `promtool` is the path of that program, if it is there."""
    told = 0
    failed: list[tuple[Story, Exception]] = []
    checker = Promtool(promtool) if promtool else None

    @seed(number)
    @settings(
        max_examples=count, phases=[Phase.generate], database=None, deadline=None, suppress_health_check=[*HealthCheck]
    )
    @given(stories())
    def tell(story: Story) -> None:
        nonlocal told
        told += story.families
        if failed:
            return
        try:
            chunks = check_story(story)
        except Exception as error:  # noqa: BLE001  # whatever is wrong with it
            failed.append((story, error))
        else:
            if checker is not None and not story.form.openmetrics and story.form.escaping != ALLOWUTF8:
                checker.add(chunks)

    tell()
    if failed:
        return Result(told, 0, _report(number, *failed[0]))
    if checker is not None:
        checker.check()
    return Result(told, checker.families if checker is not None else 0)


def _report(number: int, story: Story, error: Exception) -> str:
    short = shortened(story, lambda shorter: isinstance(_problem(shorter), type(error)))
    return f"seed {number}:\n{text_of(short)}\n{_problem(short)!r}"


def _problem(story: Story) -> Exception | None:
    try:
        check_story(story)
    except Exception as error:  # noqa: BLE001  # see above
        return error
    return None
