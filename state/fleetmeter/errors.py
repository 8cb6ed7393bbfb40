"""What the library raises, and nothing else.

    FleetmeterError
    ├── SettingError            a setting cannot be used; also a ValueError
    ├── InstallError            install() was called in a way that cannot be followed
    ├── BlockError              durable() was called where it cannot be durable
    ├── NotDurable              durable() ended, and the store has not confirmed what was recorded
    ├── StateError              what is stored cannot be understood
    └── StoreError              the store did not do what it was asked; `reason` is from a closed set
        ├── StoreUnreachable    no answer came: the outcome is unknown
        └── StoreRefused        the store answered that it will not: nothing was written

Recording (`inc`, `observe`, `set`, `labels`) raises none of these.
"""

from fleetmeter.excerpt import MOST, cut


class FleetmeterError(Exception):
    """Base of everything that fleetmeter raises."""


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
    """A durable block was entered inside another block, at whose end only its records could be sent."""


class NotDurable(FleetmeterError):
    """A durable block's records are not confirmed; they are kept, and sent as soon as the store takes them.

    `timeout` is how many seconds were waited, `replicas` how many replicas of the store were to have them, `reason`
    that of the last call which failed (see `StoreError`), None where none has failed, `problem` what that one met.
    It can be pickled, for it may be raised in a worker process.
    """

    def __init__(self, timeout: float, replicas: int, reason: str | None = None, problem: str = "") -> None:
        wanted = f"the store and {replicas} of its replicas" if replicas else "the store"
        found = f" ({problem.rstrip('.')})" if problem else ""
        super().__init__(
            f"{wanted} did not confirm within {timeout:g} s what was recorded{found}; it is kept and sent as soon as "
            "the store takes it, so do not record it again; check the store, or allow more time"
        )
        self.timeout = timeout
        self.replicas = replicas
        self.reason = reason
        self.problem = problem

    def __reduce__(self) -> tuple[type["NotDurable"], tuple[float, int, str | None, str]]:
        return type(self), (self.timeout, self.replicas, self.reason, self.problem)


class StateError(FleetmeterError):
    """What is stored under a key cannot be understood; `key` names it, `problem` says what was found.

    `reason` is one of `unreadable`, `newer_format`, `wrong_type`, `bad_definition`, `bad_value`.
    """

    def __init__(self, key: str, problem: str, reason: str = "unreadable") -> None:
        problem = cut(problem)
        super().__init__(f"{cut(key)}: {problem}")
        self.key = key
        self.problem = problem
        self.reason = reason


class StoreError(FleetmeterError):
    """The store did not do what it was asked.

    `reason` is one of `unreachable`, `timeout`, `loading`, `auth`, `refused`, `format`, `replicas`.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class StoreUnreachable(StoreError):
    """No answer came: whether the call took effect is not known."""


class StoreRefused(StoreError):
    """The store answered that it will not do it: nothing was written."""
