"""Starting a replica: what is refused, in which words, and what happens while the store is away."""

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import fleetmeter
from fleetmeter.embedded import EmbeddedStore
from fleetmeter.process.installation import current
from fleetmeter_app.main import main
from fleetmeter_app.upstream.server import main as upstream_main
from support.exposition import total
from support.gateway import GATEWAY, Program, Programs, eventually
from support.store import StoreAddress
from support.upstream import RunningUpstream

TIERS = '[tiers.cheap]\nmodel = "gpt-6-luna"\n'
INTENTS = '[intents.general]\ntier = "cheap"\n'
BASE = 'baseline_tier = "cheap"\n'


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key, and nothing that the machine's environment says otherwise; signals are left alone."""
    for name in ("FLEETMETER_REDIS_URL", "FLEETMETER_NAMESPACE", "FLEETMETER_APP_CONFIG", "FLEETMETER_APP_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    monkeypatch.setattr("signal.signal", lambda *_: None)


@pytest.mark.parametrize(
    ("toml", "key", "reason"),
    [
        (BASE + "speed = 5\n" + TIERS + INTENTS, "speed", "unknown key"),
        (BASE + TIERS + "colour = 1\n" + INTENTS, "tiers.cheap.colour", "unknown key"),
        (BASE + TIERS + '[intents.general]\ntier = "gold"\n', "intents.general.tier", "'gold' is no tier"),
        (BASE + TIERS + 'fallback = ["gold"]\n' + INTENTS, "tiers.cheap.fallback", "'gold' is no tier"),
        (
            BASE + TIERS + 'fallback = ["mid"]\n[tiers.mid]\nmodel = "m"\nfallback = ["cheap"]\n' + INTENTS,
            "tiers.mid.fallback",
            "circle: cheap -> mid -> cheap",
        ),
        (BASE + TIERS + INTENTS + "[prices.mine]\ninput = 1\noutput = 2\nbonus = 3\n", "prices.mine.bonus", "unknown"),
        (BASE + TIERS + INTENTS + "[prices.mine]\ninput = -1\noutput = 2\n", "prices.mine.input", "-1"),
        (BASE + TIERS + INTENTS + "[upstream]\ntimeout_seconds = 0\n", "upstream.timeout_seconds", "above 0"),
        ("baseline_tier = \n", "line 1", ""),
    ],
)
def test_a_wrong_file_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], toml: str, key: str, reason: str
) -> None:
    """Status 2 and one line that names file, key and reason."""
    path = tmp_path / "gateway.toml"
    path.write_text(toml, encoding="utf-8")
    assert main(["--port", "0", "--config", str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"fleetmeter-app: {path}: {key}")
    assert reason in line


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("OPENAI_API_KEY", "", "is not set"),
        ("OPENAI_API_KEY", "sk-very-secret\nsecond", "a line break"),
        ("OPENAI_API_KEY_FILE", "/nowhere/key", "OPENAI_API_KEY is set too"),
        ("OPENAI_BASE_URL", "nonsense", "does not begin with http:// or https://"),
        ("OPENAI_BASE_URL", "http://user:very-secret@x:99999", "port"),
        ("FLEETMETER_REDIS_URL", "localhost:6379", "there is no scheme"),
        ("FLEETMETER_REDIS_URL", "http://user:very-secret@127.0.0.1/0", "the scheme is 'http'"),
        ("FLEETMETER_REDIS_URL", "redis://user:very-secret@127.0.0.1/0?colour=red", "'colour'"),
        ("FLEETMETER_REDIS_URL", "redis://user:very-secret@127.0.0.1:99999/0", "port"),
        ("FLEETMETER_REDIS_URL", "rediss://user:very-secret@127.0.0.1/0?ssl_validate_ocsp=yes", "'ssl_validate_ocsp'"),
        ("FLEETMETER_NAMESPACE", "a b", "'a b'"),
        ("FLEETMETER_FLUSH_INTERVAL", "often", "'often'"),
        ("FLEETMETER_APP_PORT", "80 80", "'80 80'"),
        ("FLEETMETER_APP_CONFIG", "/nowhere/gateway.toml", "cannot be read"),
    ],
)
def test_a_wrong_variable_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, text: str, reason: str
) -> None:
    """Status 2, one line that names variable (or file) and reason, and never a secret; nothing is installed."""
    if name != "FLEETMETER_APP_PORT":
        monkeypatch.setenv("FLEETMETER_APP_PORT", "0")
    monkeypatch.setenv(name, text)
    assert main([]) == 2
    assert current() is None
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("fleetmeter-app: ")
    assert (text if name.endswith("CONFIG") else name) in line
    assert reason in line
    assert "very-secret" not in line


def test_a_busy_port_is_refused_before_anything_is_counted(store: StoreAddress) -> None:
    """Status 1, one line with the address and the reason; the process was never a replica."""
    with socket.create_server(("127.0.0.1", 0)) as busy, Programs() as programs:
        port = str(busy.getsockname()[1])
        program = programs.start(GATEWAY, "--port", port, environ={**store.environ, "OPENAI_API_KEY": "sk-x"})
        assert program.process.wait(30) == 1
        assert program.output() == f"fleetmeter-app: cannot listen on 127.0.0.1:{port}: Address already in use\n"
    client = store.client()
    assert client.exists(store.keys.writers) == 0
    client.close()


def test_a_wrong_start_shows_no_traceback(store: StoreAddress) -> None:
    """As a process: status 2, exactly one line on its streams, no password in it."""
    with Programs() as programs:
        environ = {"OPENAI_API_KEY": "sk-x", "FLEETMETER_REDIS_URL": "redis://u:very-secret@host:port/0"}
        program = programs.start(GATEWAY, "--port", "0", environ=environ)
        assert program.process.wait(30) == 2
        (line,) = program.output().splitlines()
        assert line.startswith("fleetmeter-app: FLEETMETER_REDIS_URL: ")
        assert "secret" not in line


def troubled(program: Program) -> list[str]:
    """The loggers of its warnings and errors, one for each line."""
    lines = program.output().splitlines()
    return sorted(
        line.split()[2].removeprefix("logger=") for line in lines if re.search(" level=(warning|error) ", line)
    )


PROMPT = "what does zebra-stripes-4711 cost?"


@pytest.mark.parametrize("level", ["info", "debug"])
def test_every_line_is_json_and_none_shows_a_secret_or_a_prompt(
    store: StoreAddress, upstream: RunningUpstream, level: str
) -> None:
    """`--log.format json` holds for the server's own lines too; at `debug` neither key nor prompt nor answer shows."""
    with Programs() as programs:
        environ = {"FLEETMETER_APP_LOG_FORMAT": "json", "FLEETMETER_APP_LOG_LEVEL": level, "OPENAI_LOG": "debug"}
        replica = programs.gateway(store, upstream.base_url, OPENAI_API_KEY="sk-very-secret-key", **environ)
        for query in (PROMPT, PROMPT, "TSLA price"):
            answer = httpx.post(replica.address() + "/ask", json={"query": query})
            assert answer.status_code == 200
        headers = {"content-type": "application/json"}
        broken = httpx.post(replica.address() + "/ask", content=b"{" + PROMPT.encode(), headers=headers)
        assert broken.status_code in (400, 422)
        assert replica.end() == 0
        lines = [json.loads(line) for line in replica.output().splitlines()]
    assert {"ts", "level", "logger", "msg"} <= set.intersection(*map(set, lines))
    assert {"fleetmeter.app", "uvicorn.error"} <= {line["logger"] for line in lines}
    serving = next(line for line in lines if line["msg"] == "serving")
    assert serving["namespace"] == store.namespace
    for secret in ("very-secret", "zebra", answer.json()["answer"]):
        assert secret not in replica_text(lines)


def replica_text(lines: list[dict[str, object]]) -> str:
    """All that was logged."""
    return json.dumps(lines, ensure_ascii=False)


LARGE_BLOCK = """
from fleetmeter_app.main import main
main(["--check"])
bytes(30 << 20)  # by default the C library extends its heap for blocks up to this size, once this one is free
block = bytes(20 << 20)
(heap,) = [line.split()[0].split("-") for line in open("/proc/self/maps") if line.endswith("[heap]\\n")]
print(int(heap[0], 16) <= id(block) < int(heap[1], 16))
"""


def test_a_large_block_leaves_no_hole_in_the_heap() -> None:
    """It has memory of its own, which is the system's again when it is freed: what comes and goes does not add up."""
    found = subprocess.run([sys.executable, "-c", LARGE_BLOCK], check=True, capture_output=True, text=True)
    assert found.stdout.splitlines()[-1] == "False"


def test_the_programs_have_the_same_flags_for_logs(capsys: pytest.CaptureFixture[str]) -> None:
    """Level, format and version; each flag names its twin, and a wrong value is refused by the name it came under."""
    for run, name, twin in ((main, "fleetmeter-app", "APP"), (upstream_main, "upstream", "UPSTREAM")):
        with pytest.raises(SystemExit) as ended:
            run(["--version"])
        assert ended.value.code == 0
        assert fleetmeter.__version__ in capsys.readouterr().out
        with pytest.raises(SystemExit):
            run(["--help"])
        text = capsys.readouterr().out
        for flag in ("HOST", "PORT", "CONFIG", "LOG_LEVEL", "LOG_FORMAT"):
            assert f"FLEETMETER_{twin}_{flag};" in " ".join(text.split()), name
        assert run(["--log.format", "xml"]) == 2
        assert "--log.format: 'xml' is no format; expected one of logfmt, json" in capsys.readouterr().err
        with pytest.raises(SystemExit):
            run(["--log.lvl\x9b"])
        assert "--log.lvl\\x9b" in capsys.readouterr().err


def test_replicas_answer_without_a_store_and_counting_catches_up(upstream: RunningUpstream) -> None:
    """While the store is away: answers, `ready`, one line for each part; once it is there: every count, exactly."""
    later = EmbeddedStore()
    store = StoreAddress(later.url, "later")
    with Programs() as programs:
        replica, exporter = programs.gateway(store, upstream.base_url), programs.exporter(store)
        for _ in range(3):
            assert httpx.post(replica.address() + "/ask", json={"query": "TSLA price"}).json()["cached"] is False
            assert total(exporter.samples(), "fleetmeter_up") == total(replica.samples(), "fleetmeter_up") == 0
        assert replica.get("/ready").json() == {"status": "ready", "store": "away"}
        assert exporter.get("/-/ready").status_code == 503
        assert troubled(replica) == ["fleetmeter", "fleetmeter.app", "fleetmeter.app", "fleetmeter.exporter"]
        assert len([line for line in exporter.output().splitlines() if "cannot be read" in line]) == 1
        assert "Traceback" not in replica.output() + exporter.output()
        try:
            later.start()
            assert eventually(lambda: total(exporter.samples(), "http_requests_total", status="200") == 3)
            samples = exporter.samples()
            assert total(samples, "fleetmeter_up") == 1
            assert exporter.get("/-/ready").status_code == 200
            assert total(samples, "openai_api_calls_total") == 3
            assert total(samples, "prompt_cache_operations_total", operation="get", result="error") == 3
            assert eventually(lambda: bool(replica.get("/ready").json()["store"] == "ok"))
            assert replica.end() == exporter.end() == 0
        finally:
            later.stop()


def test_a_refused_password_is_one_line_and_never_shown(upstream: RunningUpstream) -> None:
    """A store that wants another password: answers go on, each part says so once, the exporter is up 0."""
    with EmbeddedStore(port=_free()) as locked, Programs() as programs:
        client = StoreAddress(locked.url, "locked").client()
        client.config_set("requirepass", "right")
        client.close()
        store = StoreAddress(f"redis://:very-secret@127.0.0.1:{locked.port}/0", "locked")
        replica, exporter = programs.gateway(store, upstream.base_url), programs.exporter(store)
        for _ in range(3):
            assert httpx.post(replica.address() + "/ask", json={"query": "TSLA price"}).status_code == 200
            assert total(exporter.samples(), "fleetmeter_up") == 0
        assert exporter.get("/-/ready").status_code == 503
        assert eventually(lambda: "refused the user or the password" in replica.output())
        assert eventually(lambda: troubled(replica) == ["fleetmeter", "fleetmeter.app", "fleetmeter.app"])
        assert len([line for line in exporter.output().splitlines() if "cannot be read" in line]) == 1
        for program in (replica, exporter):
            assert "very-secret" not in program.output()
            assert "very-secret" not in program.get("/metrics").text
            assert "Traceback" not in program.output()
        replica.kill()  # it would wait for the store, for a while


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
