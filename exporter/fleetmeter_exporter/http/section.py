"""A part of a YAML file, read key by key: what is missing, misspelt or of the wrong kind is refused by its name."""

import os
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import yaml

from fleetmeter.errors import SettingError

MOST_BYTES = 1024 * 1024
"""Of a file: more than any certificate bundle has, so that a wrong path does not fill the memory."""

_YES, _NO = ("true", "yes", "on"), ("false", "no", "off")
Identity = tuple[int, ...] | None


class Files:
    """Reads files, and remembers which version of each it has read, to tell whether one of them has changed since."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._seen: dict[str, Identity] = {}

    def read(self, name: str) -> bytes:
        """A file's content; a relative path counts from the directory. Raises `ValueError`, which names the file."""
        path = os.path.join(self._directory, name)  # noqa: PTH118  keeps the path as it was written, for messages
        try:
            with open(path, "rb") as file:  # noqa: PTH123  the same
                self._seen[path] = _identity(os.fstat(file.fileno()))
                content = file.read(MOST_BYTES + 1)
        except (OSError, ValueError) as error:
            self._seen[path] = _present(path)
            reason = getattr(error, "strerror", None) or str(error)
            raise ValueError(f"{path!r} cannot be read: {reason}; expected a readable file") from None
        if len(content) > MOST_BYTES:
            raise ValueError(f"{path!r} is larger than {MOST_BYTES} bytes; expected a smaller file")
        return content

    def changed(self) -> bool:
        """Whether a file that was read, or could not be, is another one now."""
        return any(_present(path) != identity for path, identity in self._seen.items())


class Section:
    """A mapping at `path` in `file`. Every method takes a key, and raises `SettingError` that names file and key."""

    def __init__(self, file: str, path: str, content: Mapping[str, Any], known: Iterable[str] = ()) -> None:
        self._file = file
        self._path = path
        self._content = {key: value for key, value in content.items() if value is not None}
        self.keys = tuple(content)
        expected = tuple(known)
        for key in content:
            if expected and key not in expected:
                raise self.error(key, f"unknown key; expected one of {', '.join(expected)}")

    def __contains__(self, key: str) -> bool:
        return key in self._content

    def error(self, key: str, problem: str) -> SettingError:
        """What to raise for a key."""
        return SettingError(f"{self._file}: {self._path}{key}", problem)

    def section(self, key: str, *known: str) -> "Section":
        """The mapping under a key, empty if there is none; `known` are the keys that it may have, all if empty."""
        content = self._content.get(key, {})
        if not isinstance(content, dict):
            raise self.error(key, f"found {_kind(content)}; expected a mapping")
        return Section(self._file, f"{self._path}{key}.", content, known)

    def text(self, key: str, default: str = "") -> str:
        """A string."""
        value = self._content.get(key, default)
        if not isinstance(value, str):
            raise self.error(key, f"found {_kind(value)}; expected a string")
        return value

    def choice(self, key: str, choices: Mapping[str, Any], default: str) -> Any:
        """What one of the names stands for."""
        name = self.text(key) or default
        if name not in choices:
            raise self.error(key, f"{name!r} is not known; expected one of {', '.join(choices)}")
        return choices[name]

    def names(self, key: str) -> tuple[str, ...]:
        """A list of strings."""
        value = self._content.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(key, f"found {_kind(value)}; expected a list of strings")
        return tuple(value)

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        text = self.text(key, _YES[0] if default else _NO[0]).lower()
        if text not in (*_YES, *_NO):
            raise self.error(key, f"{text!r} is no truth value; expected true or false")
        return text in _YES

    def whole(self, key: str) -> int:
        """A whole number from 0 on; 0 if there is none."""
        text = self.text(key, "0")
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise self.error(key, f"{text!r} is no whole number; expected one from 0 to 999999999")
        return int(text)


def parse(file: str, content: bytes, known: Iterable[str]) -> Section:
    """The file's top. Raises `SettingError` with the line; never shows what stands there, which may be secret."""
    try:
        top = yaml.load(content.decode(), _Loader)  # noqa: S506  it makes strings, lists and mappings only
    except UnicodeDecodeError:
        raise SettingError(file, "it is no UTF-8 text; expected YAML") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        raise SettingError(file, f"{line}{getattr(error, 'problem', None) or 'broken'}; expected YAML") from None
    if not isinstance(top, dict | None):
        raise SettingError(file, f"found {_kind(top)}; expected a mapping with {', '.join(known)}")
    return Section(file, "", top or {}, known)


class _Loader(yaml.BaseLoader):
    """Leaves every scalar a string, as a user may be called `on` or `007`; only an empty one is None."""

    def construct_scalar(self, node: yaml.ScalarNode) -> Any:
        """The text, or None for an empty value and for null."""
        empty = node.style is None and node.value in ("", "~", "null", "Null", "NULL")
        return None if empty else node.value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: ARG002
        """A dictionary; a key that comes twice is an error, as one of the two would not be in force."""
        found: dict[Hashable, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(None, None, "a key is no string", key_node.start_mark)
            if key in found:
                problem = f"the key {key!r} comes a second time"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            found[key] = self.construct_object(value_node, deep=True)
        return found


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "a string"
    return "a mapping" if isinstance(value, dict) else "a list"


def _identity(status: os.stat_result) -> Identity:
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size  # ctime: rights


def _present(path: str) -> Identity:
    try:
        return _identity(os.stat(path))  # noqa: PTH116  the path as it was opened
    except (OSError, ValueError):
        return None
