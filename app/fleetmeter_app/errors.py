"""What can go wrong in the gateway.

GatewayError
├── ConfigError              a file or the environment says something that cannot be used
└── ApiError                 answered to the caller in OpenAI's error shape
    ├── InvalidRequestError  the request itself is at fault: 4xx
    ├── ModelNotFoundError   the request names a model that is not served: 404
    └── UpstreamFailedError  no model of the chain answered: 400, 429, 502 or 504
"""

import openai


class GatewayError(Exception):
    """Anything that this package raises on purpose."""


class ConfigError(GatewayError):
    """A setting that is refused at start, with where it stands and why.

    `file` is a file name or "environment"; `key` a dotted TOML key, a variable's name, or "line 3, column 5".
    """

    def __init__(self, file: str, key: str, reason: str) -> None:
        super().__init__(f"{file}: {key}: {reason}")
        self.file = file
        self.key = key
        self.reason = reason


class ApiError(GatewayError):
    """An answer in OpenAI's error shape; `retry_after` is in seconds.

    The shape: https://platform.openai.com/docs/guides/error-codes, as the SDK reads it (`error.code`, …).
    """

    def __init__(
        self,
        status: int,
        error_type: str,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.type = error_type
        self.code = code
        self.param = param
        self.message = message
        self.retry_after = retry_after

    def body(self) -> dict[str, dict[str, str | None]]:
        """The JSON object to answer with."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}

    def headers(self) -> dict[str, str]:
        """The headers that tell a client when to come back.

        HTTP knows whole seconds only; OpenAI's SDKs read `retry-after-ms` first.
        """
        if self.retry_after is None:
            return {}
        milliseconds = max(1, round(self.retry_after * 1000))
        return {"retry-after": str(-(-milliseconds // 1000)), "retry-after-ms": str(milliseconds)}


class InvalidRequestError(ApiError):
    """A request that cannot be answered as it stands; `param` names the field at fault."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        super().__init__(status, "invalid_request_error", message, code=code, param=param)


class ModelNotFoundError(ApiError):
    """A model that is not served here."""

    def __init__(self, model: str) -> None:
        super().__init__(
            404,
            "invalid_request_error",
            f"The model `{model}` does not exist or you do not have access to it.",
            code="model_not_found",
            param="model",
        )
        self.model = model


class UpstreamFailedError(ApiError):
    """No model answered; `model` was the last one asked, the cause is the SDK's error.

    Says of the upstream's answer no more than its kind: its text may hold what the caller must not see.
    """

    def __init__(self, model: str, error: openai.APIError) -> None:
        status, code, what = _failure_of(error)
        error_type = {400: "invalid_request_error", 429: "rate_limit_error"}.get(status, "upstream_error")
        super().__init__(status, error_type, f"No model answered; the last one asked, {model}, {what}.", code=code)
        self.model = model
        self.cause = type(error).__name__


def _failure_of(error: openai.APIError) -> tuple[int, str, str]:
    """Status, code and words for what the last model did."""
    match error:
        case openai.APITimeoutError():
            return 504, "upstream_timeout", "did not answer in time"
        case openai.RateLimitError():
            return 429, error.code or "rate_limit_exceeded", "is rate limited"
        case openai.BadRequestError():
            return 400, error.code or "invalid_request", "refused the request"
        case openai.AuthenticationError() | openai.PermissionDeniedError():
            return 502, "upstream_credentials", "refused this gateway's key"
        case openai.APIStatusError(status_code=status):
            return 502, "upstream_error", f"answered {status}"
        case openai.APIConnectionError():
            return 502, "upstream_unreachable", "cannot be reached"
        case _:
            return 502, "upstream_error", "gave an answer that cannot be read"
