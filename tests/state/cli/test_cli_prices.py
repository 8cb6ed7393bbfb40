"""`fleetmeter prices`: rates with their sources, and the bill of a file of usages."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fleetmeter.cli.command import main
from support.processes import environment
from support.store import StoreAddress

CHAT: dict[str, Any] = {
    "id": "c", "object": "chat.completion", "created": 1_795_000_000, "model": "gpt-6-sol", "service_tier": "default",
    "choices": [],
    "usage": {"prompt_tokens": 10_000, "completion_tokens": 1_000, "total_tokens": 11_000,
              "prompt_tokens_details": {"cached_tokens": 6_000, "cache_write_tokens": 2_000},
              "completion_tokens_details": {"reasoning_tokens": 400}},
}  # fmt: skip
BARE = {"model": "gpt-6-luna", "service_tier": "flex", "prompt_tokens": 100_000, "completion_tokens": 10_000}


def written(path: Path, *lines: object) -> str:
    """A file of these lines: bytes as they are, anything else as JSON."""
    path.write_bytes(
        b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    )
    return str(path)


def bill(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any], str]:
    """The exit status, the bill as JSON, and what was said of lines that are broken."""
    status = main(["prices", "--json", *words])
    shown = capsys.readouterr()
    return status, json.loads(shown.out), shown.err


def test_a_file_in_which_all_is_priced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whole answers, bare usages and lines of a batch: totals by model to the nano-dollar, and status 0."""
    batch = {"custom_id": "1", "response": {"status_code": 200, "body": CHAT}}
    status, found, errors = bill(capsys, "--usage", written(tmp_path / "u.jsonl", CHAT, BARE, b"", CHAT, batch))
    assert (status, errors) == (0, "")
    assert found == {
        "models": {
            "gpt-6-luna": {
                "calls": 1, "unpriced_calls": 0, "nanodollars": 7_500_000,
                "tokens": {"prompt": 100_000, "completion": 10_000},
            },
            "gpt-6-sol": {
                "calls": 3, "unpriced_calls": 0, "nanodollars": 2 * 20_200_000 + 10_100_000,
                "tokens": {
                    "prompt": 6_000, "cached": 18_000, "cache_write": 6_000, "completion": 1_800, "reasoning": 1_200,
                },
            },
        },
        "nanodollars": 58_000_000,
        "unpriced": [],
        "broken_lines": 0,
    }  # fmt: skip


def test_a_broken_line_is_named_and_the_rest_is_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Line 17 of 20 is no JSON: it is named, 19 calls are priced, and the status says that something is missing."""
    lines: list[object] = [CHAT] * 20
    lines[16] = b'{"model": "gpt-6-sol", '
    file = written(tmp_path / "u.jsonl", *lines)
    status, found, errors = bill(capsys, "--usage", file)
    assert status == 1
    assert errors.startswith(f"fleetmeter: {file}, line 17: is no JSON (")
    assert errors.endswith("expected one JSON object a line\n")
    assert found["models"]["gpt-6-sol"]["calls"] == 19
    assert (found["nanodollars"], found["broken_lines"]) == (19 * 20_200_000, 1)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"[1]", "is a list; expected an object"),
        (b"7", "is a number; expected an object"),
        (b"null", "is null; expected an object"),
        (b'"text"', "is a text; expected an object"),
        (b"\xff\xfe", "is no UTF-8"),
        (b"[" * 100_000, "is nested too deeply"),
        (b'{"prompt_tokens": ' + b"9" * 10_000 + b"}", "a number with thousands of digits"),
        (b"{", "is no JSON"),
    ],
)
def test_lines_that_hold_no_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str], line: bytes, words: str) -> None:
    """Each is named with what it is instead, and the lines around it are priced."""
    status, found, errors = bill(capsys, "--usage", written(tmp_path / "u.jsonl", CHAT, line, CHAT))
    assert status == 1
    assert ", line 2: " in errors
    assert words in errors
    assert found["models"]["gpt-6-sol"]["calls"] == 2


def test_a_file_of_broken_lines_is_no_flood(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Twenty lines are named, the others are counted."""
    status, found, errors = bill(capsys, "--usage", written(tmp_path / "u.jsonl", *[b"{"] * 1_000))
    assert (status, found["broken_lines"], found["models"]) == (1, 1_000, {})
    assert errors.count("\n") == 21
    assert errors.endswith("fleetmeter: and 980 more broken lines\n")


def test_what_has_no_price_is_told_with_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown model, a tier, a doubtful usage and none: by reason, with the number of calls and the first line."""
    lines = (
        CHAT,
        {**BARE, "model": "gpt-9"},
        {**BARE, "model": "gpt-9"},
        {**BARE, "service_tier": "scale"},
        {**BARE, "prompt_tokens": -1},
        {**CHAT, "usage": None},
        {"usage": CHAT["usage"]},
        {**BARE, "model": "x" * 10_240},
        {**BARE, "prompt_tokens": float("nan")},
    )
    file = written(tmp_path / "u.jsonl", *lines)
    status, found, _ = bill(capsys, "--usage", file)
    assert status == 1
    assert [(one["calls"], one["first_line"]) for one in found["unpriced"]] == [
        (2, 2), (1, 4), (1, 5), (1, 6), (1, 7), (1, 8), (1, 9),
    ]  # fmt: skip
    reasons = [one["reason"] for one in found["unpriced"]]
    assert reasons[0] == "'gpt-9' has no price at openai"
    assert "the answer's tier 'scale' is paid by contract" in reasons[1]
    assert "prompt_tokens is -1" in reasons[2]
    assert reasons[3] == "the answer states no usage"
    assert found["models"]["gpt-9"]["unpriced_calls"] == 2
    assert main(["prices", "--usage", file]) == 1
    shown = capsys.readouterr().out
    assert "  2 calls, the first in line 2: 'gpt-9' has no price at openai\n" in shown
    assert max(map(len, shown.splitlines())) < 300
    assert "'xxxxxxxx" in reasons[5]
    assert "a name of 256 characters or more is no model's" in reasons[5]


def test_what_is_no_name_is_told_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A model that is a number, or empty, names none."""
    file = written(tmp_path / "u.jsonl", {**BARE, "model": 7}, {**BARE, "model": ""})
    status, found, _ = bill(capsys, "--usage", file)
    assert (status, found["nanodollars"]) == (1, 0)
    assert [(one["reason"], one["calls"]) for one in found["unpriced"]] == [("no model is named", 2)]


def test_a_name_of_10_kib_is_shown_by_its_ends(capsys: pytest.CaptureFixture[str]) -> None:
    """The line says which model it is, and stays a line."""
    assert main(["prices", "x" * 10_240]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("xxxxxxxx")
    assert "no price: the model 'xxx" in line
    assert len(line) < 300


def test_an_answer_is_priced_as_of_the_day_it_was_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """gpt-5.6-terra fell to 2/12 on 2026-07-30: an answer of the day before costs more, unless another day is asked."""
    before = {**BARE, "model": "gpt-5.6-terra", "service_tier": None}
    answer = {"created": 1_785_283_200, "model": "gpt-5.6-terra", "usage": before}
    file = written(tmp_path / "u.jsonl", answer)
    assert bill(capsys, "--usage", file)[1]["nanodollars"] == 100_000 * 2_500 + 10_000 * 15_000
    assert bill(capsys, "--usage", file, "--at", "2026-11-30")[1]["nanodollars"] == 100_000 * 2_000 + 10_000 * 12_000


def test_own_prices_and_other_providers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of prices by flag or variable, a provider by name or base URL, and a tier for all."""
    own = tmp_path / "prices.toml"
    own.write_text("[models.mine]\ninput = 1\noutput = 2\n")
    file = written(tmp_path / "u.jsonl", {**BARE, "model": "mine", "service_tier": None})
    assert bill(capsys, "--usage", file, "--prices", str(own))[1]["nanodollars"] == 120_000_000
    monkeypatch.setenv("FLEETMETER_PRICES", str(own))
    assert bill(capsys, "--usage", file)[0] == 0
    azure = written(tmp_path / "a.jsonl", {**BARE, "model": "gpt-4o", "service_tier": None})
    found = bill(capsys, "--usage", azure, "--base-url", "https://house.openai.azure.com/")[1]
    assert found["models"]["azure/gpt-4o"]["nanodollars"] == 350_000_000
    assert bill(capsys, "--usage", azure, "--base-url", "http://localhost:8000/v1")[0] == 1
    assert bill(capsys, "--usage", azure, "--tier", "batch")[1]["nanodollars"] == 175_000_000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--usage", "/nowhere"], "--usage: /nowhere cannot be read: No such file or directory"),
        (["--usage", "/"], "--usage: / cannot be read: Is a directory"),
        (["--usage", "x", "gpt-6-sol"], "--usage: the file names the models; leave out 'gpt-6-sol'"),
        (["--at", "tomorrow"], "--at: 'tomorrow' is no date; expected one such as 2026-11-30"),
        (["--prices", "/nowhere"], "/nowhere: cannot be read"),
        (["--tier", "cheap", "--usage", "x"], "--tier: 'cheap' has no prices; expected one of default, flex"),
        (["--tier", "auto", "gpt-6-sol"], "--tier: 'auto' has no prices; expected one of default, flex"),
    ],
)
def test_arguments_that_cannot_be_used(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2, and one line that names the argument."""
    assert main(["prices", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"fleetmeter: {message}")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('provder = "openai"', "provder: is unknown; expected provider, regional"),
        ("[models.x]\ninput = 1\noutput = 1\ncached = 2", "models.x.cached: is unknown; expected input, output"),
        ("[models.x]\ninput = -1\noutput = 1", "models.x.input: -1 is no price; expected US dollars"),
        ("[models.x", "is no TOML"),
    ],
)
def test_a_file_of_prices_that_cannot_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    """Status 2, before anything is priced, and one line that names the file and the key."""
    own = tmp_path / "own.toml"
    own.write_text(text)
    assert main(["prices", "--prices", str(own), "--usage", written(tmp_path / "u.jsonl", CHAT)]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert shown.err.startswith(f"fleetmeter: {own}: {message}")


def test_the_rates_of_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    """Each tier and length of the prompt has a line, and each figure a source."""
    assert main(["prices", "gpt-6.1-terra"]) == 0
    shown = capsys.readouterr().out
    assert ["default", "272,000", "2", "0.1", "2.5", "5", "7.5"] in [line.split() for line in shown.splitlines()]
    assert "12 hours cost 2.5 times the input: cache_write_12h\n" in shown
    assert "  genai-prices 0.2.3, batch: input, cached_input, cache_write, output\n" in shown
    assert main(["prices", "--json", "gpt-5-codex", "--tier", "flex"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["usd_per_million_tokens"][0]["rates"]["output"] == "5"
    assert "genai-prices 0.2.3, as gpt-5, flex" in found["sources"]


def test_a_model_without_a_price(capsys: pytest.CaptureFixture[str]) -> None:
    """It is said why, the other model is shown, and the status is 1."""
    assert main(["prices", "gpt-9", "gpt-6-sol"]) == 1
    shown = capsys.readouterr().out
    assert "gpt-9: no price: 'gpt-9' has no price at openai\n" in shown
    assert "gpt-6-sol: US dollars per million tokens\n" in shown


def test_all_models(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a name, every model that has a price is listed, with its tiers and where long prompts begin."""
    assert main(["prices"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 100
    (sol,) = (line for line in lines if line.startswith("gpt-6-sol "))
    assert sol.endswith("flex, priority, batch  272,000")


def test_a_long_file_shows_how_far_it_is(tmp_path: Path, store: StoreAddress) -> None:
    """On a terminal, a bar on standard error; the bill on standard output has nothing of it."""
    line = json.dumps(CHAT).encode() + b"\n"
    file = tmp_path / "long.jsonl"
    file.write_bytes(line * 5_000)
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "fleetmeter.cli", "prices", "--json", "--usage", str(file)],
        env=environment(store, TERM="xterm", COLUMNS="80"), stdout=subprocess.PIPE, stderr=theirs,
    ) as child:  # fmt: skip
        os.close(theirs)
        shown = b""
        while True:
            try:
                shown += os.read(ours, 1 << 16)
            except OSError:
                break
        out = child.communicate()[0]
    os.close(ours)
    assert child.returncode == 0
    assert json.loads(out)["nanodollars"] == 5_000 * 20_200_000
    assert "━".encode() in shown
