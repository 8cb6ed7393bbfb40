"""The configuration is read again while a replica serves; a wrong one changes nothing."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import uvloop

from fleetmeter_app.config import reload
from fleetmeter_app.main import main
from support.gateway import GATEWAY, Program, Programs, eventually
from support.guards import until
from support.store import StoreAddress
from support.upstream import RunningUpstream

CONFIG = """
baseline_tier = "cheap"
default_intent = "general"
[tiers.cheap]
model = "MODEL"
deployments = ["here"]
[deployments.here]
base_url = "UPSTREAM"
key_file = "KEY"
provider = "openai"
[intents.general]
tier = "cheap"
"""


def model_of(replica: Program) -> str:
    """The model that answers now."""
    body = {"model": "cheap", "messages": [{"role": "user", "content": "x"}]}
    headers = {"cache-control": "no-store"}
    return str(httpx.post(replica.address() + "/v1/chat/completions", json=body, headers=headers).json()["model"])


def test_a_change_is_taken_and_a_wrong_one_refused(
    store: StoreAddress, upstream: RunningUpstream, tmp_path: Path
) -> None:
    """Another model answers without a restart; what cannot be used is told with file, key and reason, once."""
    file, key = tmp_path / "gateway.toml", tmp_path / "key"
    key.write_text("sk-file\n")

    def write(model: str, more: str = "") -> None:
        text = CONFIG.replace("MODEL", model).replace("UPSTREAM", upstream.base_url).replace("KEY", str(key))
        file.write_text(text + more, encoding="utf-8")

    write("gpt-6-luna")
    with Programs() as programs:
        environ = {**store.environ, "FLEETMETER_APP_CONFIG": str(file)}
        replica = programs.start(GATEWAY, "--port", "0", environ=environ)
        assert model_of(replica) == "gpt-6-luna"
        write("gpt-6-sol")
        assert eventually(lambda: model_of(replica) == "gpt-6-sol")
        write("gpt-6.1-sol", "[tiers.cheap.more]\n")
        assert eventually(lambda: "the configuration stays as it was" in replica.output())
        assert f"{file}: tiers.cheap.more: unknown key" in replica.output()
        assert model_of(replica) == "gpt-6-sol"
        write("gpt-6.1-terra")
        os.kill(replica.pid, signal.SIGHUP)
        assert eventually(lambda: model_of(replica) == "gpt-6.1-terra")
        assert replica.end() == 0
        assert "Traceback" not in replica.output()
        assert replica.output().count("the configuration stays as it was") == 1


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_loop_without_signals_watches_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, run: Callable[..., None]
) -> None:
    """Outside the main thread SIGHUP cannot be taken: the log says so, and a changed file is read all the same."""
    monkeypatch.setattr(reload, "INTERVAL", 0.01)
    file = tmp_path / "gateway.toml"
    file.write_text("old")
    used: list[str] = []

    async def watch() -> None:
        found = reload.Reload(file, file.read_text, used.append)
        found.start()
        file.write_text("new text")
        await until(lambda: used == ["new text"])
        await found.stop()

    with caplog.at_level(logging.INFO, "fleetmeter.app"), ThreadPoolExecutor(1) as threads:
        threads.submit(lambda: run(watch())).result()
    first, second = caplog.messages
    assert first.startswith("SIGHUP will not read the configuration again")
    assert second == "the configuration was read again"


def test_check_says_whether_a_configuration_can_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status 0 and a line, or status 2 and the reason; nothing is started or installed, and no key is shown."""
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-fine")
    assert main(["--check"]) == 0
    assert "it can be used" in capsys.readouterr().out
    file = tmp_path / "gateway.toml"
    file.write_text("speed = 5\n")
    assert main(["--check", "--config", str(file)]) == 2
    assert str(file) in capsys.readouterr().err
    for wrong in ("sk secret", "sk-secret\n", "sk-secrét"):
        monkeypatch.setenv("OPENAI_API_KEY", wrong)
        assert main(["--check"]) == 2
        error = capsys.readouterr().err
        assert "OPENAI_API_KEY" in error
        assert "secr" not in error
