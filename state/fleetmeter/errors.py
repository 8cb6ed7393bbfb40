"""What the library raises, and nothing else.

    FleetmeterError
    ├── SettingError            a setting cannot be used; also a ValueError
    ├── InstallError            install() was called in a way that cannot be followed
    ├── StateError              what is stored cannot be understood
    └── StoreError              the store did not do what it was asked; `reason` is from a closed set
        ├── StoreUnreachable    no answer came: the outcome is unknown
        └── StoreRefused        the store answered that it will not: nothing was written

Recording (`inc`, `observe`, `set`, `labels`) raises none of these.
"""


class FleetmeterError(Exception):
    """Base of everything that fleetmeter raises."""


class SettingError(FleetmeterError, ValueError):
    """A setting cannot be used.

    `setting` is its name as the user wrote it (an environment variable, a flag or an argument), `problem` says
    what was found and what was expected.
    """

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(f"{setting}: {problem}")
        self.setting = setting
        self.problem = problem


class InstallError(FleetmeterError, RuntimeError):
    """`install()` was called a second time with other settings."""


class StateError(FleetmeterError):
    """What is stored under a key cannot be understood; `key` names it."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key = key


class StoreError(FleetmeterError):
    """The store did not do what it was asked.

    `reason` is one of `unreachable`, `timeout`, `auth`, `refused`.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class StoreUnreachable(StoreError):
    """No answer came: whether the call took effect is not known."""


class StoreRefused(StoreError):
    """The store answered that it will not do it: nothing was written."""
