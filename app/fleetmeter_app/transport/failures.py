"""What each way in which an upstream can fail means: for the chain, for a retry, for the record and for the caller."""

import asyncio
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

import aiohttp

from fleetmeter.pricing.answer import Answer
from fleetmeter_app.errors import UpstreamFailedError

_REASON_OF_CODE: dict[str, str | None] = {
    "model_not_found": "model_not_found",
    "rate_limit_exceeded": "rate_limited",
    "context_length_exceeded": "context_length",
    "server_error": "upstream_error",
    "insufficient_quota": None,
}
"""OpenAI's error codes say more than the status: "no access to this model" is a 403, for one.

An exhausted quota is the account's and not the model's: no other model of that account would answer.
"""
_OF_THE_REQUEST = frozenset({
    "invalid_prompt", "bio_policy", "misalignment_policy_violation", "invalid_image", "invalid_image_format",
    "invalid_base64_image", "invalid_image_url", "invalid_image_mode", "image_too_large", "image_too_small",
    "image_parse_error", "image_content_policy_violation", "image_file_too_large", "image_file_not_found",
    "unsupported_image_media_type", "empty_image_file", "failed_to_download_image",
})  # fmt: skip
"""Codes with which OpenAI fails a response whose request is at fault, although its status is 200: they are a 400."""
_REASON_OF_STATUS = {
    404: "model_not_found",
    408: "timeout",
    409: "upstream_error",
    429: "rate_limited",
    504: "timeout",
}
_TYPE_OF_STATUS = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    409: "ConflictError",
    422: "UnprocessableEntityError",
    429: "RateLimitError",
}
"""The exception classes of the openai SDK, which are the values of a label."""
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_PARAM = re.compile(r"[A-Za-z0-9_.\[\]-]{1,128}")
_LONGEST_MESSAGE = 500
_LONGEST_RETRY_AFTER = 600.0
"""Seconds that a deployment may ask to be left alone; a longer wish is not believed."""
_LONGEST_FOR_CALLERS = 120.0
"""Seconds; the SDKs do not wait for longer."""


class UpstreamFailure(Exception):
    """One attempt that brought no answer, or none that can be used.

    `error_type` is the SDK's class for it, `reason` why another model should be tried (None: another would not help),
    `retryable` whether the same one may be asked again. `answer` is what an unusable answer says of itself, so that
    tokens which were spent are counted. `retries` counts the attempts before this one.
    """

    def __init__(
        self,
        error_type: str,
        *,
        reason: str | None,
        status: int | None = None,
        code: str | None = None,
        message: str = "",
        param: str | None = None,
        retryable: bool = False,
        retry_after: float | None = None,
        answer: Answer | None = None,
        answered: bool = False,
    ) -> None:
        super().__init__(message or error_type)
        self.error_type = error_type
        self.reason = reason
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.retryable = retryable
        self.retry_after = retry_after
        self.answer = answer
        self.answered = answered
        self.retries = 0

    @property
    def is_the_deployments(self) -> bool:
        """Whether the deployment is at fault: what its circuit breaker counts. A wrong request is the caller's."""
        return self.reason in ("rate_limited", "timeout", "upstream_error") or self.status in (401, 403)

    def for_caller(self, model: str) -> UpstreamFailedError:
        """What the caller is told if no other model is tried."""
        status, code, what = self._told()
        return UpstreamFailedError(
            model,
            self.error_type,
            status=status,
            code=code,
            what=what,
            param=self.param if status == 400 else None,
            retry_after=None if self.retry_after is None else min(self.retry_after, _LONGEST_FOR_CALLERS),
        )

    def _told(self) -> tuple[int, str, str]:
        match self.error_type:
            case "APITimeoutError":
                return 504, "upstream_timeout", "did not answer in time"
            case "RateLimitError":
                return 429, self.code or "rate_limit_exceeded", "is rate limited"
            case "BadRequestError" | "UnprocessableEntityError":
                said = f": {self.message.rstrip('.')}" if self.message else ""
                return 400, self.code or "invalid_request", f"refused the request{said}"
            case "AuthenticationError" | "PermissionDeniedError":
                return 502, "upstream_credentials", "refused this gateway's key"
            case "APIConnectionError":
                return 502, "upstream_unreachable", "cannot be reached, or closed the connection"
            case "APIResponseValidationError" | "APIError":
                return 502, "upstream_error", "gave an answer that cannot be used"
            case _:
                return 502, "upstream_error", f"answered {self.status}"


def failure_of_status(status: int, headers: Mapping[str, str], error: Mapping[str, Any] | None) -> UpstreamFailure:
    """The failure of an answer with an error status; `error` is what its body says."""
    code, message, param = _said(error)
    reason = _REASON_OF_STATUS.get(status, "upstream_error" if status >= 500 else None)
    if code in _REASON_OF_CODE:
        reason = _REASON_OF_CODE[code]
    wish = headers.get("x-should-retry")
    retryable = wish == "true" or (wish != "false" and (status in (408, 409, 429) or status >= 500) and status != 501)
    return UpstreamFailure(
        _TYPE_OF_STATUS.get(status, "InternalServerError" if status >= 500 else "APIStatusError"),
        reason=reason,
        status=status,
        code=code,
        message=message,
        param=param,
        retryable=retryable and code != "insufficient_quota",
        retry_after=retry_after_of(headers),
    )


def failure_of_error(error: BaseException) -> UpstreamFailure:
    """The failure that a connection's error is."""
    if isinstance(error, asyncio.TimeoutError | aiohttp.ServerTimeoutError):
        return UpstreamFailure("APITimeoutError", reason="timeout", message=type(error).__name__, retryable=True)
    return UpstreamFailure("APIConnectionError", reason="upstream_error", message=type(error).__name__, retryable=True)


def failure_inside(error: Mapping[str, Any], answer: Answer) -> UpstreamFailure:
    """The failure of an answer that came with status 200 and holds an error; its code decides what is tried next."""
    code, message, _ = _said(error)
    of_the_request = code in _OF_THE_REQUEST
    return UpstreamFailure(
        "BadRequestError" if of_the_request else "APIError",
        reason=None if of_the_request else _REASON_OF_CODE.get(code or "", "upstream_error"),
        status=200,
        code=code,
        message=message,
        answer=answer,
        answered=answer.usage is not None,
    )


def failure_unreadable(what: str, answer: Answer) -> UpstreamFailure:
    """The failure of an answer that is none: it was answered, for nobody knows how many tokens unless it says so."""
    return UpstreamFailure(
        "APIResponseValidationError", reason="upstream_error", status=200, message=what, answer=answer, answered=True
    )


def retry_after_of(headers: Mapping[str, str]) -> float | None:
    """Seconds that an answer asks to wait, at most 600; None if it does not say."""
    milliseconds = _number(headers.get("retry-after-ms"))
    seconds = milliseconds / 1000 if milliseconds is not None else None
    text = headers.get("retry-after")
    if seconds is None and text is not None:
        seconds = _number(text)
        if seconds is None:
            try:
                seconds = parsedate_to_datetime(text).timestamp() - time()
            except (ValueError, OverflowError):
                return None
    return None if seconds is None else min(max(seconds, 0.0), _LONGEST_RETRY_AFTER)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if number == number and number >= 0 else None


def _said(error: Mapping[str, Any] | None) -> tuple[str | None, str, str | None]:
    """Code, message and parameter of an error, as far as they are what they should be; servers send anything."""
    if error is None:
        return None, "", None
    code, message, param = error.get("code"), error.get("message"), error.get("param")
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        code = error.get("type")
        code = code if code == "insufficient_quota" else None
    text = (
        "".join(sign if sign.isprintable() else " " for sign in message[:_LONGEST_MESSAGE])
        if isinstance(message, str)
        else ""
    )
    return code, text, param if isinstance(param, str) and _PARAM.fullmatch(param) else None
