"""`fleetmeter run -- COMMAND …`: programs that know nothing of fleetmeter count, and stay what they are."""

import os
import signal
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from support.examples import unaware
from support.processes import LAUNCHER, PATIENCE, environment, fleet, value
from support.store import StoreAddress

SCRIPT = """
import sys
from prometheus_client import Counter
Counter("runs", "Runs.").inc(5)
print("its own output")
sys.exit(3)
"""


def launch(store: StoreAddress, *command: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """What a command leaves that `fleetmeter run` starts."""
    return subprocess.run(
        [*LAUNCHER, *map(str, command)],
        env=environment(store, FLEETMETER_FLUSH_INTERVAL="600") | variables,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def known(store: StoreAddress) -> bool:
    """Whether anybody has ever recorded in a namespace."""
    return bool(store.client().exists(store.keys.writers))


def test_a_script_counts_and_keeps_output_and_status(store: StoreAddress) -> None:
    """Standard output, standard error and the exit status are those of the program alone."""
    ended = launch(store, sys.executable, "-c", SCRIPT)

    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "its own output\n", "")
    assert value(fleet(store), "runs_total") == 5


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_children_of_a_program_count(method: str, store: StoreAddress, tmp_path: Path) -> None:
    """Processes that a program starts are launched as well; its helpers are no replicas."""
    program = unaware("process_pool.py", tmp_path)
    assert "fleetmeter.install" not in program.read_text()

    ended = launch(store, sys.executable, program, 40, method)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert value(fleet(store), "jobs_total") == 40 == len(ended.stdout.splitlines())
    writers = [field for field in store.client().hkeys(store.keys.writers) if not field.startswith(b"@")]
    assert 1 <= len(writers) <= 2  # those of the two workers that got any work


@pytest.mark.parametrize("first", ["prometheus_client", "fleetmeter"])
def test_a_program_that_installs_by_itself_counts_once(first: str, store: StoreAddress) -> None:
    """An application that calls `install()` is not hindered by the launcher, nor counted twice."""
    ended = launch(store, sys.executable, "-c", f"import {first}, fleetmeter; fleetmeter.install()\n{SCRIPT}")

    assert (ended.returncode, ended.stderr) == (3, "")
    assert value(fleet(store), "runs_total") == 5


def test_an_own_sitecustomize_is_imported_too(store: StoreAddress, tmp_path: Path) -> None:
    """The one on the user's PYTHONPATH runs, goes by its name, and the path is as the program expects it."""
    (tmp_path / "sitecustomize.py").write_text("MARK = 'mine'\n")
    script = "import sitecustomize, sys; print(sitecustomize.MARK, [p for p in sys.path if 'launch' in p])\n" + SCRIPT

    ended = launch(store, sys.executable, "-c", script, PYTHONPATH=str(tmp_path))

    assert (ended.returncode, ended.stderr) == (3, "")
    assert ended.stdout == "mine []\nits own output\n"
    assert value(fleet(store), "runs_total") == 5


def test_an_own_sitecustomize_may_fail(store: StoreAddress, tmp_path: Path) -> None:
    """Python says what went wrong, as without the launcher, and the program still counts."""
    (tmp_path / "sitecustomize.py").write_text("raise RuntimeError('a mistake of the user')\n")

    ended = launch(store, sys.executable, "-c", SCRIPT, PYTHONPATH=str(tmp_path))

    assert (ended.returncode, ended.stdout) == (3, "its own output\n")
    assert "a mistake of the user" in ended.stderr
    assert value(fleet(store), "runs_total") == 5


def test_opentelemetrys_launcher_does_not_hide_us(store: StoreAddress, tmp_path: Path) -> None:
    """`opentelemetry-instrument` puts its own sitecustomize first, which goes on to nobody's; both are there."""
    script = "import sys; print('opentelemetry.sdk' in sys.modules or 'opentelemetry.instrumentation' in sys.modules)\n"
    program = tmp_path / "job.py"
    program.write_text(script + SCRIPT)
    command = [Path(sys.executable).with_name("opentelemetry-instrument"), sys.executable, program]

    ended = launch(store, *command, OTEL_TRACES_EXPORTER="none", OTEL_METRICS_EXPORTER="none")

    assert (ended.returncode, ended.stdout) == (3, "True\nits own output\n"), ended.stderr
    assert value(fleet(store), "runs_total") == 5


def test_no_launcher_hides_us(store: StoreAddress, tmp_path: Path) -> None:
    """A sitecustomize that chains nobody comes first in all processes below a shell script: they count all the same."""
    (tmp_path / "sitecustomize.py").write_text("import builtins; builtins.MARK = 'theirs'\n")
    command = f'PYTHONPATH="{tmp_path}:$PYTHONPATH" exec "{sys.executable}" -c "$SCRIPT"'
    script = "import sys; print(MARK, [p for p in sys.path if p.endswith('/launch')])\n" + SCRIPT

    ended = launch(store, "sh", "-c", command, SCRIPT=script)

    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "theirs []\nits own output\n", "")
    assert value(fleet(store), "runs_total") == 5


@pytest.mark.parametrize("own", [True, False])
def test_a_python_without_our_line_counts_by_the_path(own: bool, store: StoreAddress, tmp_path: Path) -> None:
    """Where `fleetmeter-run.pth` is not installed, our sitecustomize comes first and goes on to the user's."""
    venv.create(tmp_path / "venv", with_pip=False)
    (tmp_path / "own").mkdir()
    if own:
        (tmp_path / "own" / "sitecustomize.py").write_text("import builtins; builtins.MARK = 'mine'\n")
    folders = [str(tmp_path / "own"), *filter(None, sys.path)]
    script = "import sys; print(globals().get('MARK', getattr(__builtins__, 'MARK', None)))\n" + SCRIPT

    ended = launch(store, tmp_path / "venv" / "bin" / "python", "-c", script, PYTHONPATH=os.pathsep.join(folders))

    assert (ended.returncode, ended.stderr) == (3, "")
    assert ended.stdout == f"{'mine' if own else None}\nits own output\n"
    assert value(fleet(store), "runs_total") == 5


def test_an_isolated_python_gets_nothing(store: StoreAddress) -> None:
    """`python -I` ignores PYTHONPATH: the program runs as if it had been started without us."""
    ended = launch(store, sys.executable, "-I", "-c", SCRIPT)

    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "its own output\n", "")
    assert not known(store)


def test_a_process_that_records_nothing_is_no_replica(store: StoreAddress) -> None:
    """A supervisor that merely imports prometheus_client leaves no trace in the store."""
    ended = launch(store, sys.executable, "-c", "import prometheus_client")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert not known(store)


def test_a_process_without_metrics_imports_nothing_of_ours(store: StoreAddress) -> None:
    """A Python that never imports prometheus_client pays for none of fleetmeter's imports."""
    ended = launch(store, sys.executable, "-c", "import sys; print({'fleetmeter', 'redis'} & set(sys.modules))")

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "set()\n", "")


def test_trouble_in_a_child_is_logged_and_breaks_nothing(store: StoreAddress) -> None:
    """A process below the launcher whose settings cannot be used runs on without fleetmeter, and says so once."""
    command = f'FLEETMETER_REDIS_URL=ftp://user:secret@host exec "{sys.executable}" -c "$SCRIPT"'

    ended = launch(store, "sh", "-c", command, SCRIPT=SCRIPT)

    assert (ended.returncode, ended.stdout) == (3, "its own output\n")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("this process runs without fleetmeter: FLEETMETER_REDIS_URL: the scheme is 'ftp'")
    assert "secret" not in line


def test_the_command_takes_the_place_of_the_launcher(store: StoreAddress) -> None:
    """It has the launcher's process id, so that a signal reaches it, and SIGPIPE ends it, as a shell would have it."""
    command = [*LAUNCHER, "sh", "-c", "echo $$; kill -PIPE $$"]
    with subprocess.Popen(command, env=environment(store), stdout=subprocess.PIPE, text=True) as process:
        output, _ = process.communicate(timeout=PATIENCE)

    assert output == f"{process.pid}\n"
    assert process.returncode == -signal.SIGPIPE


@pytest.mark.parametrize(
    ("command", "status", "problem"),
    [
        (["no-such-program", "--flag"], 127, "no-such-program: there is no such program"),
        ([os.devnull], 126, f"{os.devnull}: cannot be started: Permission denied"),
        ([], 2, "there is no command; expected fleetmeter run -- COMMAND"),
    ],
)
def test_a_command_that_cannot_be_started(command: list[str], status: int, problem: str, store: StoreAddress) -> None:
    """The status is the shell's for it, and one line says what is wrong."""
    ended = launch(store, *command)

    assert (ended.returncode, ended.stdout) == (status, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"fleetmeter: {problem}")


def test_settings_that_cannot_be_used_start_nothing(store: StoreAddress) -> None:
    """The launcher checks them first: status 2, one line that names the variable, and no program."""
    ended = launch(store, sys.executable, "-c", SCRIPT, FLEETMETER_FLUSH_INTERVAL="soon")

    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("fleetmeter: FLEETMETER_FLUSH_INTERVAL: 'soon' is no duration")
