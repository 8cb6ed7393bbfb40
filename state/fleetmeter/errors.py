"""The errors that the library raises.

    FleetmeterError
    ├── SettingError            a setting cannot be used; also a ValueError
    ├── InstallError            install() was called a second time with other settings
    ├── BlockError              durable() was called inside another block
    ├── NotDurable              durable() ended, and the store has not confirmed the records
    ├── StateError              something in the store cannot be understood
    └── StoreError              the store did not do what it was asked to; `reason` is from a closed set
        ├── StoreUnreachable    no answer came: the outcome is unknown
        └── StoreRefused        the store refused: nothing was written

Recording (`inc`, `observe`, `set`, `labels`) raises none of these.
"""

from fleetmeter.excerpt import MOST, cut


class FleetmeterError(Exception):
    """Base of all errors that fleetmeter raises."""


class SettingError(FleetmeterError, ValueError):
    """A setting cannot be used.

    `setting` is its name as the user wrote it (an environment variable, a flag or an argument), `problem` says
    what was found and what was expected.
    """

    def __init__(self, setting: str, problem: str) -> None:
        problem = cut(problem, 2 * MOST)
        super().__init__(f"{setting}: {problem}")
        self.setting = setting
        self.problem = problem


class InstallError(FleetmeterError, RuntimeError):
    """`install()` was called a second time with other settings."""


class BlockError(FleetmeterError, RuntimeError):
    """A durable block was entered inside another block.

    It could not keep its promise: its records are only added, and sent, when the outer block ends.
    """


class NotDurable(FleetmeterError):
    """A durable block's records were not confirmed in time. They are kept, and sent as soon as the store takes them.

    `timeout` is the time waited, in seconds. `replicas` is how many store replicas had to have the records.
    `reason` is that of the last call that failed (see `StoreError`), or None if none failed; `problem` is its text.
    The error can be pickled, because a worker process may raise it.
    """

    def __init__(self, timeout: float, replicas: int, reason: str | None = None, problem: str = "") -> None:
        wanted = f"the store and {replicas} store replica{'s' if replicas > 1 else ''}" if replicas else "the store"
        found = f" ({problem.rstrip('.')})" if problem else ""
        super().__init__(
            f"{wanted} did not confirm the records within {timeout:g} s{found}; they are kept, and sent as soon as "
            "the store takes them, so do not record them again; check the store, or allow more time"
        )
        self.timeout = timeout
        self.replicas = replicas
        self.reason = reason
        self.problem = problem

    def __reduce__(self) -> tuple[type["NotDurable"], tuple[float, int, str | None, str]]:
        return type(self), (self.timeout, self.replicas, self.reason, self.problem)


class StateError(FleetmeterError):
    """Something in the store cannot be understood; `key` names its place, `problem` says what was found.

    `reason` is one of `unreadable`, `newer_format`, `wrong_type`, `bad_definition`, `bad_value`.
    """

    def __init__(self, key: str, problem: str, reason: str = "unreadable") -> None:
        problem = cut(problem)
        super().__init__(f"{cut(key)}: {problem}")
        self.key = key
        self.problem = problem
        self.reason = reason


class StoreError(FleetmeterError):
    """The store did not do what it was asked to.

    `reason` is one of `unreachable`, `timeout`, `loading`, `auth`, `refused`, `format`, `replicas`.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class StoreUnreachable(StoreError):
    """No answer came, so nobody knows whether the call took effect."""


class StoreRefused(StoreError):
    """The store refused the call, and nothing was written."""
