"""The command line: settings, exit statuses, and what it needs."""

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest
from prometheus_client import CollectorRegistry, Counter

import fleetmeter
from fleetmeter.cli import extensions
from fleetmeter.cli.command import main
from support.commands import command, process
from support.fleet import installation
from support.processes import environment, finish
from support.store import StoreAddress

WITHOUT_RICH = "import sys; sys.modules['rich'] = None; from fleetmeter.cli.command import main; sys.exit(main())"


def without_rich(store: StoreAddress, *words: str) -> subprocess.CompletedProcess[str]:
    """The program where rich is not installed."""
    return finish([sys.executable, "-c", WITHOUT_RICH, *words], store)


def test_environment_twins(installed: StoreAddress) -> None:
    """Without flags, the store and the namespace come from the environment."""
    Counter("twins", "Found by the environment alone.", registry=CollectorRegistry()).inc()
    fleetmeter.flush()
    done = process(installed, "ls")
    assert (done.returncode, done.stderr) == (0, "")
    assert "twins" in done.stdout
    wrong = process(installed, "ls", FLEETMETER_REDIS_URL="http://nowhere")
    assert wrong.returncode == 2
    assert "fleetmeter: FLEETMETER_REDIS_URL: the scheme is 'http'" in wrong.stderr


@pytest.mark.parametrize("flag", ["--redis.url", "--url"])
def test_a_setting_that_cannot_be_used(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2, and a message that names the flag and shows no password."""
    assert main(["ls", flag, "http://me:secret@host"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("fleetmeter: --redis.url: the scheme is 'http'")
    assert "secret" not in error
    assert main(["ls", "--namespace", "a b"]) == 2
    assert "--namespace: 'a b'" in capsys.readouterr().err


def test_a_flag_wins_over_the_environment(installed: StoreAddress) -> None:
    """What is on the command line is meant."""
    done = process(installed, "ls", "--namespace", "elsewhere")
    assert "no families in namespace 'elsewhere'" in done.stdout


@pytest.mark.parametrize("words", [["ls"], ["ls", "--writers"], ["ls", "--namespaces"], ["forget", "x"], ["reset"]])
def test_a_store_that_is_away(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Status 1 and one line, no traceback; it says how to name another store."""
    assert main([words[0], "--url", "redis://127.0.0.1:1/0", *words[1:]]) == 1
    error = capsys.readouterr().err
    assert error.startswith("fleetmeter: the store cannot be reached")
    assert error.endswith("refused; start it, or name another by --redis.url or FLEETMETER_REDIS_URL\n")
    assert error.count("\n") == 1


def test_unknown_words_end_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    """A command that does not exist, and none at all, are argparse's to refuse: status 2."""
    for words in (["list"], [], ["ls", "--writer"]):
        with pytest.raises(SystemExit) as ending:
            main(words)
        assert ending.value.code == 2
    assert "unrecognized arguments: --writer" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "usage", "reason"),
    [
        (["ls", "--redis-url=x"], "usage: fleetmeter ls ", "--redis-url=x (did you mean --redis.url?)"),
        (["keys", "list", "--jsn"], "usage: fleetmeter keys list ", "--jsn (did you mean --json?)"),
        (["doctor", "now"], "usage: fleetmeter doctor ", "now"),
        (["--verson", "reset"], "usage: fleetmeter [-h]", "--verson (did you mean --version?)"),
    ],
)  # fmt: skip
def test_a_misspelt_flag(words: list[str], usage: str, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The usage is that of the subcommand, and the reason names the flag that is most like it."""
    with pytest.raises(SystemExit) as ending:
        main(words)
    assert ending.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(usage)
    assert error.splitlines()[-1].endswith(f"error: unrecognized arguments: {reason}")


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` tells the library's."""
    with pytest.raises(SystemExit) as ending:
        main(["--version"])
    assert ending.value.code == 0
    assert capsys.readouterr().out == f"fleetmeter {fleetmeter.__version__}\n"


def test_only_top_needs_rich(installed: StoreAddress) -> None:
    """Without the extra, every other command works, and top says how to get it."""
    fleetmeter.flush()
    for words in (["ls"], ["ls", "--json"], ["doctor"], ["reset", "--yes"]):
        assert without_rich(installed, *words).returncode == 0, words
    assert "there is no family 'x'" in without_rich(installed, "forget", "x", "--yes").stderr
    top = without_rich(installed, "top", "--once")
    assert top.returncode == 1
    assert top.stderr == "fleetmeter: top needs rich; install it with: pip install 'fleetmeter[cli]'\n"


def test_a_reader_that_has_seen_enough(store: StoreAddress) -> None:
    """A pipe that is closed at the other end is no traceback."""
    with subprocess.Popen(
        [sys.executable, "-m", "fleetmeter.cli", "ls"],
        env=environment(store),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        assert child.wait() == 1
        assert child.stderr.read() == ""


def test_a_terminal_that_cannot_show_a_text(store: StoreAddress) -> None:
    """What an encoding lacks is shown as an escape; nothing is hidden, and nothing fails."""
    with installation(store):
        Counter("visits", "Visits to the café.", registry=CollectorRegistry()).inc()
        assert fleetmeter.flush()
        done = process(store, "ls", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "caf\\xe9" in done.stdout


def test_the_exit_status_is_the_programs(store: StoreAddress) -> None:
    """What main returns is what the process ends with."""
    assert process(store, "ls", "nothing").returncode == command(store, "ls", "nothing") == 1


def test_other_packages_add_commands(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry point of `fleetmeter.commands` is a subcommand; one that cannot be loaded costs the others nothing."""
    points = [
        EntryPoint("broken", "nowhere.at_all:add", extensions.GROUP),
        EntryPoint("keys", "fleetmeter_app.guarding.keys.command:add_keys", extensions.GROUP),
    ]
    monkeypatch.setattr(extensions, "entry_points", lambda group: [point for point in points if point.group == group])
    with pytest.raises(SystemExit) as ending:
        main(["keys", "--help"])
    assert ending.value.code == 0
    shown = capsys.readouterr()
    assert "revoke" in shown.out
    assert shown.err.startswith("fleetmeter: the command broken cannot be loaded from nowhere.at_all:add: ")
    assert shown.err.count("\n") == 1
