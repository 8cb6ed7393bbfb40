"""Secrets that stand in files: which of two sources counts, and what is refused."""

from pathlib import Path

import pytest

from fleetmeter.errors import SettingError
from fleetmeter.secret_file import read_secret, secret_of
from fleetmeter_app.config.settings import AppSettings
from fleetmeter_app.errors import ConfigError

SECRET = "sk-very-secret"


def test_a_file_stands_for_its_variable(tmp_path: Path) -> None:
    """NAME_FILE gives what NAME would, less the end of the line; neither gives nothing."""
    file = tmp_path / "key"
    file.write_text(f"{SECRET}\r\n", encoding="utf-8")
    assert secret_of("KEY", {"KEY_FILE": str(file)}, "a key") == SECRET
    assert secret_of("KEY", {"KEY": SECRET, "KEY_FILE": ""}, "a key") == SECRET
    assert secret_of("KEY", {}, "a key") == ""


def test_both_are_one_too_many(tmp_path: Path) -> None:
    """Which of the two is meant cannot be known, and neither is shown."""
    with pytest.raises(SettingError, match=r"^KEY_FILE: KEY is set too; set one of the two$"):
        secret_of("KEY", {"KEY": SECRET, "KEY_FILE": str(tmp_path)}, "a key")


@pytest.mark.parametrize("name", ["none", ".", "a\0b"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    """The message has the file and what should stand in it."""
    with pytest.raises(SettingError, match=r"^KEY_FILE: .* cannot be read: .*; expected a readable file with a key$"):
        secret_of("KEY", {"KEY_FILE": f"{tmp_path}/{name}"}, "a key")


def test_a_secret_may_have_spaces_around_it(tmp_path: Path) -> None:
    """A password may begin or end with a space; only line ends are taken off."""
    file = tmp_path / "password"
    file.write_text(" pass word \n", encoding="utf-8")
    assert read_secret(str(file)) == " pass word "


def test_the_gateway_reads_its_key_from_a_file(tmp_path: Path) -> None:
    """OPENAI_API_KEY_FILE gives the key of the upstream, which shows in no repr."""
    file = tmp_path / "key"
    file.write_text(f"{SECRET}\n", encoding="utf-8")
    settings = AppSettings.from_env({"OPENAI_API_KEY_FILE": str(file)})
    assert settings.openai_api_key == SECRET
    assert SECRET not in repr(settings)


@pytest.mark.parametrize("text", [f"{SECRET}\nsecond", f"{SECRET} ", f"{SECRET}é"])
def test_a_key_that_no_header_can_carry_is_refused(tmp_path: Path, text: str) -> None:
    """The gateway says so at the start, by the variable's name, instead of failing with each call."""
    file = tmp_path / "key"
    file.write_text(text, encoding="utf-8")
    for environ in ({"OPENAI_API_KEY_FILE": str(file)}, {"OPENAI_API_KEY": text}):
        with pytest.raises(ConfigError, match="a line break") as caught:
            AppSettings.from_env(environ)
        assert caught.value.key in environ
        assert SECRET not in str(caught.value)
