"""The web configuration is read again when a file changes, and kept when the new one is bad."""

import logging
from pathlib import Path

import bcrypt
import pytest

from fleetmeter.errors import SettingError
from fleetmeter_exporter.http.web_file import LOOK, WebFile
from support.tls import Authority
from support.web import told

HASH = bcrypt.hashpw(b"pass", b"$2b$04$abcdefghijklmnopqrstuu").decode()
TLS = "tls_server_config: {cert_file: server.pem, key_file: server.key}\n"
USERS = f"basic_auth_users: {{alice: {HASH}}}\n"


class Watched:
    """A file that is watched with a clock moved by hand."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        path.write_text(text)
        self._now = 0.0
        self.file = WebFile(str(path), lambda: self._now)

    def look(self) -> None:
        """Let the time pass after which the files are looked at, and ask for what is in force."""
        self._now += LOOK
        self.file.current()

    def write(self, text: str) -> None:
        """Change the file and look."""
        self.path.write_text(text)
        self.look()


@pytest.fixture(autouse=True)
def _log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "fleetmeter.exporter")


def test_a_change_is_in_force_at_the_next_look(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Not before the time is over, and with one line in the log; a file that has not changed is not read again."""
    watched = Watched(tmp_path / "web.yml", USERS)
    first = watched.file.current()
    watched.path.write_text(USERS.replace("alice", "bob"))
    assert watched.file.current() is first
    watched.look()
    assert set(watched.file.current().users) == {"bob"}
    second = watched.file.current()
    watched.look()
    assert watched.file.current() is second
    expected = ("the web configuration has changed and is in force", {"file": str(watched.path)})
    assert told(caplog.records) == [expected]


def test_a_bad_file_leaves_the_former_one_in_force(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each bad version is logged once, with file, key and reason, however often it is looked at."""
    watched = Watched(tmp_path / "web.yml", USERS)
    first = watched.file.current()
    for text in ("rate_limit: 5", "basic_auth_users: {alice: open}"):
        watched.write(text)
        watched.look()
        watched.look()
        assert watched.file.current() is first
    watched.path.unlink()
    watched.look()
    watched.look()
    assert watched.file.current() is first
    message = "the web configuration has changed and cannot be used; the former one stays in force"
    assert set(caplog.messages) == {message}
    assert [str(about["problem"]).partition(";")[0] for _, about in told(caplog.records)] == [
        f"{watched.path}: rate_limit: found a string",
        f"{watched.path}: basic_auth_users.alice: found no bcrypt hash",
        f"--web.config.file: '{watched.path}' cannot be read: No such file or directory",
    ]
    watched.write(USERS.replace("alice", "bob"))
    assert set(watched.file.current().users) == {"bob"}


def test_what_is_there_and_cannot_be_read_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A folder in the place of the file, as a mount that failed leaves it, does not fill the log."""
    watched = Watched(tmp_path / "web.yml", USERS)
    watched.path.unlink()
    watched.path.mkdir()
    watched.look()
    watched.look()
    assert len(caplog.messages) == 1
    watched.path.rmdir()
    watched.write(USERS.replace("alice", "bob"))
    assert set(watched.file.current().users) == {"bob"}


def test_the_files_that_it_names_are_watched(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A new certificate whose key has not come yet changes nothing; once the key is there, both are in force."""
    authority = Authority(tmp_path, "ca")
    files = authority.issue("server")
    watched = Watched(tmp_path / "web.yml", TLS)
    first = watched.file.current()
    old_key = files.key.read_bytes()
    authority.issue("server")
    new_key = files.key.read_bytes()
    files.key.write_bytes(old_key)
    watched.look()
    watched.look()
    assert watched.file.current() is first
    assert len(caplog.messages) == 1
    ((_, about),) = told(caplog.records)
    assert "tls_server_config.key_file: the key does not belong to the certificate" in str(about["problem"])
    files.key.write_bytes(new_key)
    watched.look()
    renewed = watched.file.current().tls
    assert renewed is not None
    assert first.tls is not None
    assert renewed.settings.certificate != first.tls.settings.certificate


def test_a_swapped_link_is_noticed(tmp_path: Path) -> None:
    """A folder that is a symbolic link to the newest version, as Kubernetes mounts secrets, may point elsewhere."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "web.yml").write_text(USERS.replace("alice", name))
    (tmp_path / "data").symlink_to("one")
    now = 0.0
    file = WebFile(str(tmp_path / "data" / "web.yml"), lambda: now)
    assert set(file.current().users) == {"one"}
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").replace(tmp_path / "data")
    now += LOOK
    assert set(file.current().users) == {"two"}


def test_other_changes_leave_tls_as_it_is(tmp_path: Path) -> None:
    """Connections are not renewed for a change that has nothing to do with TLS."""
    Authority(tmp_path, "ca").issue("server")
    watched = Watched(tmp_path / "web.yml", TLS + USERS)
    first = watched.file.current().tls
    watched.write(TLS + USERS.replace("alice", "bob"))
    assert set(watched.file.current().users) == {"bob"}
    assert watched.file.current().tls is first
    watched.write(TLS + USERS + "# and min_version\n" + "http_server_config: {headers: {X-Frame-Options: deny}}\n")
    assert watched.file.current().tls is first


@pytest.mark.parametrize(("before", "after"), [(TLS, ""), ("", TLS), (USERS, ""), (USERS, "basic_auth_users: {}\n")])
def test_a_door_is_not_opened_by_a_reload(
    tmp_path: Path, before: str, after: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither TLS nor the last user can be taken away while the exporter runs: a half-written file looks like that."""
    Authority(tmp_path, "ca").issue("server")
    watched = Watched(tmp_path / "web.yml", before)
    first = watched.file.current()
    watched.write(after)
    assert watched.file.current() is first
    ((_, about),) = told(caplog.records)
    assert "restart" in str(about["problem"])


def test_users_may_come_later(tmp_path: Path) -> None:
    """A file without users may get some: that closes a door."""
    watched = Watched(tmp_path / "web.yml", "")
    watched.write(USERS)
    assert set(watched.file.current().users) == {"alice"}


def test_a_bad_file_at_the_start_raises(tmp_path: Path) -> None:
    """There is no former one that could stay in force."""
    (tmp_path / "web.yml").write_text("rate_limit: 5")
    with pytest.raises(SettingError, match=r"web\.yml: rate_limit: "):
        WebFile(str(tmp_path / "web.yml"))
