"""Cases for promtool, changed so that scrapes and rules are out of step.

promtool evaluates all rules at one moment, which is also a moment of a scrape. In Prometheus each group of rules has a
moment of its own, and scrapes have others: an alert sees scrapes that its recorded series do not know of yet. Two
changes bring that into a case, and a third lets scrapes fail:

* `shifted`: each sample comes a third or a fifth of its interval later, so that no evaluation and no scrape coincide.
* `lagging`: what another group of rules recorded is read as it was one evaluation ago, as if it came right after.
* `failed`: every seventh scrape fails, and only what must be silent is asked for.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_PARTS = (3, 5)
_QUESTIONS = {"alert_rule_test": "exp_alerts", "promql_expr_test": "exp_samples"}
_EVERY = 7
_RECORDED = re.compile(
    r"(?P<name>\b[a-z_]+:\w+:\w+)(?P<window>\[[^\]]+\])?(?: offset (?P<number>\d+)(?P<unit>[smhd])\b)?"
)
_NUMBER = r"\d+(?:\.\d+)?(?:e-?\d+)?"
_ITEM = re.compile(rf"(?P<first>_|stale|-?{_NUMBER})(?P<step>[+-]{_NUMBER})?(?:x(?P<times>\d+))?")
Document = dict[str, Any]


def in_step(cases: Path, rules: Path, folder: Path) -> list[Path]:
    """Write each case of a file into a folder as it is, with the rules that it asks for alone; the paths of the cases.

    promtool evaluates every rule it is given at each moment of each case: with all of them it takes five times as long.
    """
    document = loaded(cases)
    return [
        _written(document, case, _asked(document, case, rules), folder / f"{cases.stem}-{number}")
        for number, case in enumerate(document["tests"])
    ]


def out_of_step(cases: Path, rules: Path, folder: Path, *, failing: bool = False) -> list[Path]:
    """Write each case of a file into a folder, changed, with the rules that it asks for; the paths of the cases.

    With `failing` scrapes fail now and then, too. A case that asks for nothing then is left out.
    """
    document = loaded(cases)
    late = seconds(document["evaluation_interval"])
    written = []
    for number, case in enumerate(document["tests"]):
        changed = _case(case, failing=failing)
        if not any(changed.get(part) for part in _QUESTIONS):
            continue
        wanted = {name: lagging(content, late) for name, content in _asked(document, changed, rules).items()}
        written.append(_written(document, changed, wanted, folder / f"{cases.stem}-{number}"))
    return written


def loaded(cases: Path) -> Document:
    """A file of cases, its series as they stand there: to YAML, 0x60 would be the number 96."""
    text = cases.read_text(encoding="utf-8")
    document: Document = yaml.safe_load(text)
    for case, plain in zip(document["tests"], yaml.load(text, yaml.BaseLoader)["tests"], strict=True):
        case["input_series"] = plain["input_series"]
    return document


def lagging(document: Document, late: int) -> Document:
    """Rules that read what other groups recorded as it was `late` seconds ago; of their own group, as it is."""
    for group in document["groups"]:
        own = {rule.get("record") for rule in group["rules"]}
        for rule in group["rules"]:
            rule["expr"] = _RECORDED.sub(lambda found: _late(found, own, late), rule["expr"])  # noqa: B023
    return document


def shifted(values: str, parts: int) -> str:
    """A series of which the interval has become one of so many parts, and each sample comes after the first of them."""
    missing = " _" * (parts - 2)
    return " ".join(f"_ {value}{missing}" for value in expanded(values))


def failed(name: str, values: str) -> str:
    """A series of which each seventh sample is missing because the scrape failed, as Prometheus marks it."""
    instead = "0" if name.startswith("up{") else "stale"
    return " ".join(instead if place % _EVERY == _EVERY - 1 else each for place, each in enumerate(expanded(values)))


def expanded(values: str) -> Iterator[str]:
    """Each sample of promtool's notation by itself: `1+2x3 _ stale` is 1 3 5 7, none, and a mark."""
    for item in values.split():
        found = _ITEM.fullmatch(item)
        if found is None:
            raise ValueError(f"{item!r} is no series of promtool's; expected a, axN, a+bxN, _, _xN or stale")
        first, times = found["first"], found["times"]
        if first == "_":
            yield from ["_"] * int(times or 1)
        elif first == "stale" or times is None:
            yield first
        else:
            step = float(found["step"] or 0)
            yield from (repr(float(first) + place * step) for place in range(int(times) + 1))


def seconds(duration: str) -> int:
    """A duration of one unit."""
    return int(duration[:-1]) * _SECONDS[duration[-1]]


def _asked(document: Document, case: Document, rules: Path) -> dict[str, Document]:
    """The files of rules that a document names, with what one of its cases asks for."""
    names = sorted(path.name for pattern in document["rule_files"] for path in rules.glob(Path(pattern).name))
    wanted: dict[str, Document] = {name: yaml.safe_load((rules / name).read_text(encoding="utf-8")) for name in names}
    _keep(wanted, case)
    return wanted


def _written(document: Document, case: Document, rules: dict[str, Document], place: Path) -> Path:
    place.mkdir()
    for name, content in rules.items():
        (place / name).write_text(yaml.safe_dump(content), encoding="utf-8")
    path = place / "case"
    path.write_text(yaml.safe_dump({**document, "rule_files": list(rules), "tests": [case]}), encoding="utf-8")
    return path


def _case(case: Document, *, failing: bool) -> Document:
    interval = seconds(case["interval"])
    parts = next(parts for parts in _PARTS if interval % parts == 0)
    series = []
    for each in case["input_series"]:
        values = failed(each["series"], each["values"]) if failing else each["values"]
        series.append({"series": each["series"], "values": shifted(values, parts)})
    changed = {**case, "interval": f"{interval // parts}s", "input_series": series}
    if failing:
        for part, expected in _QUESTIONS.items():
            changed[part] = [asked for asked in case.get(part, ()) if not asked.get(expected)]
    return changed


def _keep(documents: dict[str, Document], case: Document) -> None:
    """Leave only the rules that a case asks for, and what they are made of: the rest would only take time."""
    asked = {one["alertname"] for one in case.get("alert_rule_test", ())}
    texts = [one["expr"] for one in case.get("promql_expr_test", ())]
    names = [re.findall(r'alertname="(\w+)"', text) for text in texts if "ALERTS" in text]
    if not all(names):
        return  # somebody asks for any alert
    asked.update(name for found in names for name in found)
    every = [rule for document in documents.values() for group in document["groups"] for rule in group["rules"]]
    wanted: list[Document] = []
    while more := [rule for rule in every if rule not in wanted and _is_asked(rule, asked, texts)]:
        wanted += more
        for rule in more:
            texts += [rule["expr"], *rule.get("annotations", {}).values()]  # which quote thresholds
    for document in documents.values():
        for group in document["groups"]:
            group["rules"] = [rule for rule in group["rules"] if rule in wanted]


def _is_asked(rule: Document, alerts: set[str], texts: list[str]) -> bool:
    if "alert" in rule:
        return rule["alert"] in alerts
    return any(re.search(rf"\b{rule['record']}\b", text) for text in texts)


def _late(found: re.Match[str], own: set[str | None], late: int) -> str:
    if found["name"] in own:
        return found[0]
    offset = late + (int(found["number"]) * _SECONDS[found["unit"]] if found["number"] else 0)
    return f"{found['name']}{found['window'] or ''} offset {offset}s"
