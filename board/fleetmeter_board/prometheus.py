"""What a Prometheus that scrapes the fleet knows of more than the last hour."""

import asyncio
import math
import time
from collections.abc import Iterable, Mapping
from typing import Any

import httpx

from fleetmeter.errors import FleetmeterError
from fleetmeter.watching.measures import COST_BY_CALL, DURATIONS, FIXED, Measure
from fleetmeter.watching.quantile import QUANTILES
from fleetmeter.watching.shown import Line, Shown
from fleetmeter_exporter.redaction import redacted

_POINTS = 120
_PATIENCE = 20.0
"""Seconds that an answer may take."""
_MEAN = 120.0
"""Seconds over which a rate is taken at least: it needs two scrapes, and these come each minute, or more often."""
_AT_ONCE = 4
"""Queries that are asked at the same time."""
_LINES = 10
"""Lines of one chart at most."""
_NANO = 1e9


class PrometheusError(FleetmeterError):
    """A Prometheus cannot be asked, or its answer is no use. The message says which, and what to do."""


class Prometheus:
    """Asks a Prometheus. `job` is the job under which it scrapes the fleet; empty if there is only one."""

    def __init__(self, url: str, job: str = "", namespace: str = "") -> None:
        self.place = redacted(url)
        self._job = job
        self._namespace = namespace
        try:
            self._client = httpx.AsyncClient(base_url=url, timeout=_PATIENCE, trust_env=False)
        except httpx.InvalidURL as error:
            raise PrometheusError(f"{self.place} is no URL of a Prometheus: {redacted(str(error))}") from error
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def shown(self, seconds: float, own_labels: tuple[str, ...] = ()) -> Shown:
        """Lines and amounts of the last `seconds`; if it cannot be asked, the problem in words, and nothing else."""
        try:
            return await self._shown(seconds, own_labels)
        except PrometheusError as error:
            return Shown(seconds, source=self.place, problem=str(error))

    async def total_at(self, start: float) -> tuple[int, float] | None:
        """What the fleet had cost at `start`, or at the first time after it that is known, and that time.

        In nano-dollars; None if nothing is known. The difference to the total of now is exact, which PromQL's
        `increase()` is not: it extrapolates, and lacks what a model had cost when it was first scraped. Raises
        `PrometheusError`.
        """
        chosen, now = await self._selector(), time.time()
        text = f"sum(openai_total_cost_usd_total{chosen})"
        found = await self._range(text, start, now, max(15.0, (now - start) / 200))
        if not found:
            return None
        at, amount = found[0]["values"][0]
        return (round(float(amount) * _NANO), float(at)) if math.isfinite(float(amount)) else None

    async def scrapes(self) -> dict[str, float]:
        """Of the last scrapes: how many exporters are `scraped`, how many of them are `up`, the `seconds` of one.

        `copies` is how many of them show this fleet: with two, sums over all series are twice the truth.

        Raises `PrometheusError`.
        """
        job, chosen = await self._job_name(), await self._selector()
        queries = {
            "scraped": f'count(up{{job="{job}"}})',
            "up": f'sum(up{{job="{job}"}})',
            "seconds": f'max(fleetmeter_scrape_duration_seconds{{job="{job}"}})',
            "copies": f"count(fleetmeter_up{chosen})",
        }
        answers = await asyncio.gather(*map(self._instant, queries.values()))
        return {name: float(found[0]["value"][1]) for name, found in zip(queries, answers, strict=True) if found}

    async def _shown(self, seconds: float, own_labels: tuple[str, ...]) -> Shown:
        chosen = await self._selector()
        end = time.time()
        step = max(5.0, seconds / _POINTS)
        measures = {**FIXED, **{f"cost_by_{label}": Measure(COST_BY_CALL, label, money=True) for label in own_labels}}
        ranges = _ranges(measures, chosen, _span(max(_MEAN, step)))
        spans = {
            name: f"sum by ({measure.label}) (increase({_series(measure, chosen)}[{_span(seconds)}])) > 0"
            for name, measure in measures.items()
        }
        answers = await asyncio.gather(
            *(self._range(text, end - seconds, end, step) for text in ranges.values()),
            *(self._instant(text) for text in spans.values()),
        )
        drawn = dict(zip(ranges, answers, strict=False))
        places = _times(drawn.values())
        lines = {name: _drawn(drawn["lines", name], measure, places) for name, measure in measures.items()}
        single = {
            key: _line(found[0]["values"], places, 1.0) for key, found in drawn.items() if key[0] != "lines" and found
        }
        return Shown(
            seconds,
            list(places),
            {name: found for name, found in lines.items() if found},
            {family: found for family in DURATIONS if (found := _of(single, family))},
            _of(single, "levels"),
            {
                name: _amounts(found, measure)
                for (name, measure), found in zip(measures.items(), answers[len(ranges) :], strict=True)
            },
            f"from {self.place}; each point is the mean of {max(_MEAN, step) / 60:.0f} min",
            "" if places else f"{self.place} has no numbers of the fleet within the time shown",
        )

    async def _selector(self) -> str:
        job = await self._job_name()
        named = await self._instant(f'count by (namespace) (fleetmeter_up{{job="{job}"}})')
        names = {one["metric"].get("namespace", "") for one in named}
        several = f', namespace="{self._namespace}"' if self._namespace in names else ""
        return f'{{job="{job}"{several}}}'

    async def _job_name(self) -> str:
        if self._job:
            return self._job
        jobs = sorted({one["metric"].get("job", "") for one in await self._instant("count by (job) (fleetmeter_up)")})
        if not jobs:
            raise PrometheusError(
                f"{self.place} scrapes no exporter of fleetmeter (no series fleetmeter_up); give it the exporter as a "
                "target, or name another with --prometheus"
            )
        if len(jobs) > 1:
            raise PrometheusError(
                f"{self.place} scrapes exporters under several jobs ({', '.join(jobs)}); name one with --prometheus.job"
            )
        self._job = jobs[0]
        return self._job

    async def _range(self, text: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        asked = {"query": text, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"}
        return await self._ask("/api/v1/query_range", asked)

    async def _instant(self, text: str) -> list[dict[str, Any]]:
        return await self._ask("/api/v1/query", {"query": text})

    async def _ask(self, path: str, asked: Mapping[str, str]) -> list[dict[str, Any]]:
        async with self._turns:
            try:
                answer = await self._client.post(path, data=dict(asked))
                document = answer.json()
            except httpx.HTTPError as error:
                raise PrometheusError(f"{self.place} cannot be asked: {redacted(str(error)) or repr(error)}") from error
            except ValueError as error:
                raise PrometheusError(
                    f"{self.place} answers with status {answer.status_code} and no JSON; is it a Prometheus?"
                ) from error
        if not isinstance(document, dict) or document.get("status") != "success":
            told = document.get("error") if isinstance(document, dict) else None
            raise PrometheusError(f"{self.place} refuses a query: {told or f'status {answer.status_code}'}")
        data = document.get("data")
        result = data.get("result") if isinstance(data, dict) else None
        if not isinstance(result, list) or not all(map(_is_series, result)):
            raise PrometheusError(f"{self.place} answers a query with no list of series; is it a Prometheus?")
        return result


def _is_series(one: object) -> bool:
    """Whether it has the shape of a series in an answer: labels, and one value or several."""
    if not isinstance(one, dict) or not isinstance(one.get("metric"), dict):
        return False
    pairs = one["values"] if isinstance(one.get("values"), list) and one["values"] else [one.get("value")]
    return all(isinstance(pair, list) and len(pair) == 2 for pair in pairs)


def _series(measure: Measure, chosen: str) -> str:
    where = "".join(f', {label}="{value}"' for label, value in measure.where)
    return f"{measure.sample}{chosen[:-1]}{where}}}"


def _span(seconds: float) -> str:
    return f"{max(1, round(seconds))}s"


def _ranges(measures: Mapping[str, Measure], chosen: str, mean: str) -> dict[tuple[str, str], str]:
    """The queries of all lines, by their group and name."""
    found = {
        ("lines", name): f"sum by ({measure.label}) (rate({_series(measure, chosen)}[{mean}]))"
        for name, measure in measures.items()
    }
    for family in DURATIONS:
        for name, share in QUANTILES.items():
            buckets = f"sum by (le) (rate({family}_bucket{chosen}[{mean}]))"
            found[family, name] = f"histogram_quantile({share}, {buckets})"
    found["levels", "replicas"] = f"max(fleetmeter_replicas{chosen})"
    return found


def _of(found: Mapping[tuple[str, str], Line], group: str) -> dict[str, Line]:
    return {name: line for (key, name), line in found.items() if key == group}


def _drawn(answer: list[dict[str, Any]], measure: Measure, places: Mapping[float, int]) -> dict[str, Line]:
    """The lines of a measure that hold most, of those that hold anything."""
    size = _NANO if measure.money else 1.0
    lines = {str(one["metric"].get(measure.label, "")): _line(one["values"], places, size) for one in answer}
    sums = {name: sum(filter(None, line)) for name, line in lines.items()}
    return {name: lines[name] for name in sorted(sums, key=lambda name: -sums[name])[:_LINES] if sums[name] > 0}


def _amounts(answer: list[dict[str, Any]], measure: Measure) -> dict[str, float]:
    size = _NANO if measure.money else 1.0
    return {str(one["metric"].get(measure.label, "")): float(one["value"][1]) * size for one in answer}


def _times(answers: Iterable[list[dict[str, Any]]]) -> dict[float, int]:
    times = sorted({float(at) for answer in answers for one in answer for at, _ in one["values"]})
    return {at: place for place, at in enumerate(times)}


def _line(values: list[list[Any]], places: Mapping[float, int], size: float) -> Line:
    found: Line = [None] * len(places)
    for at, text in values:
        value = float(text)
        found[places[float(at)]] = value * size if value == value else None
    return found
