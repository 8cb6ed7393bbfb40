"""Who asks: the key of a request, checked against what the store knows."""

import hmac

from fleetmeter.llm.guards import record_key_rejection
from fleetmeter_app.errors import ApiError
from fleetmeter_app.guarding.caller import ANONYMOUS, Caller
from fleetmeter_app.guarding.door import Door
from fleetmeter_app.guarding.keys.keyring import Keyring
from fleetmeter_app.guarding.keys.secret import Secret

REVOKED_WITHIN = 5.0
"""Seconds after which a revoked key is refused everywhere, at most. When the store is away for longer, `fail_open`
keeps the keys that were known last, and its contrary refuses all."""

_NO_DIGEST = "0" * 64


class Keys:
    """Checks keys from memory.

    While no key was ever created, everybody is `ANONYMOUS` if `open_without_keys`, which is for a gateway that only
    this machine reaches. `required` refuses callers without a key whatever there is.
    """

    def __init__(
        self, door: Door, *, fail_open: bool = True, required: bool = False, open_without_keys: bool = True
    ) -> None:
        self.keyring = Keyring(door)
        self._fail_open = fail_open
        self._required = required
        self._open_without_keys = open_without_keys
        self._callers: dict[str, tuple[object, Caller]] = {}

    def configure(self, *, fail_open: bool, required: bool) -> None:
        """Go by other rules from now on."""
        self._fail_open, self._required = fail_open, required

    async def start(self) -> None:
        """Begin to keep the keys in memory."""
        await self.keyring.start()

    async def close(self) -> None:
        """Stop that."""
        await self.keyring.close()

    async def caller(self, authorization: str | None) -> Caller:
        """Whose request this is, by its header `Authorization`. Raises `ApiError` 401, or 503 if nobody can know."""
        keyring = self.keyring
        if not keyring.known:
            await keyring.look()
        if not keyring.known:
            if self._open_without_keys and not self._required and self._fail_open:
                return ANONYMOUS
            raise _unavailable()
        if keyring.empty:
            if self._required or not self._open_without_keys:
                await keyring.look()  # the first one may have been created just now
            if keyring.empty:
                return self._without_keys()
        if not self._fail_open and keyring.silent_seconds > REVOKED_WITHIN:
            await keyring.look()
            if keyring.silent_seconds > REVOKED_WITHIN:
                raise _unavailable()
        if authorization is None:
            raise _refused("missing", "You didn't provide an API key; send it as Authorization: Bearer <key>.")
        scheme, _, text = authorization.strip().partition(" ")
        secret = Secret.parse(text.strip()) if scheme.lower() == "bearer" else None
        if secret is None:
            raise _refused("malformed", "Incorrect API key provided: it is no key of this gateway.")
        return await self._holder(secret)

    async def _holder(self, secret: Secret) -> Caller:
        found = self.keyring.find(secret.id)
        if found is None:
            await self.keyring.look()  # it may have been created just now
            found = self.keyring.find(secret.id)
        right = hmac.compare_digest(secret.digest, _NO_DIGEST if found is None else found.record.digest)
        if found is None or not right:
            raise _refused("unknown", "Incorrect API key provided: this gateway does not know it.")
        if found.revoked_us is not None:
            raise _refused("revoked", "Incorrect API key provided: it was revoked.")
        record, caller = self._callers.get(secret.id, (None, ANONYMOUS))
        if record is not found.record:
            caller = found.record.caller(secret.id)
            self._callers[secret.id] = found.record, caller
        return caller

    def _without_keys(self) -> Caller:
        if self._open_without_keys and not self._required:
            return ANONYMOUS
        raise _refused(
            "no_keys",
            "This gateway has no API keys yet, and others than this machine can reach it: create one with "
            "`fleetmeter keys create`, or start it with --without-keys.",
        )


def _refused(reason: str, message: str) -> ApiError:
    record_key_rejection(reason)
    return ApiError(401, "invalid_request_error", message, code="invalid_api_key", should_retry=False)


def _unavailable() -> ApiError:
    record_key_rejection("unavailable")
    return ApiError(
        503,
        "server_error",
        "API keys cannot be checked just now; try again.",
        code="store_unavailable",
        retry_after=1.0,
    )
