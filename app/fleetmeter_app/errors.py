"""What can go wrong in the gateway.

GatewayError
├── ConfigError              a file or the environment says something that cannot be used
├── ToolError                a tool cannot do what a model asked for; the model is told in these words
└── ApiError                 answered to the caller in OpenAI's error shape
    ├── InvalidRequestError  the request itself is at fault: 4xx
    ├── ModelNotFoundError   the request names a model that is not served: 404
    └── UpstreamFailedError  no model of the chain answered: 400, 429, 502 or 504
"""


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


class ToolError(GatewayError):
    """What a tool raises to tell the model why there is no result; any other error's text is kept from the model."""


class ApiError(GatewayError):
    """An answer in OpenAI's error shape; `retry_after` is in seconds.

    `should_retry` tells OpenAI's SDKs whether to try again; None leaves it to what they do with the status.

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
        should_retry: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.type = error_type
        self.code = code
        self.param = param
        self.message = message
        self.retry_after = retry_after
        self.should_retry = should_retry

    def body(self) -> dict[str, dict[str, str | None]]:
        """The JSON object to answer with."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}

    def headers(self) -> dict[str, str]:
        """The headers that tell a client whether, and when, to come back.

        HTTP knows whole seconds only; OpenAI's SDKs read `retry-after-ms` first, and `x-should-retry` before both.
        """
        found: dict[str, str] = {}
        if self.should_retry is not None:
            found["x-should-retry"] = "true" if self.should_retry else "false"
        if self.retry_after is not None:
            milliseconds = max(1, round(self.retry_after * 1000))
            found |= {"retry-after": str(-(-milliseconds // 1000)), "retry-after-ms": str(milliseconds)}
        return found


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
    """No model answered; `model` was the last one asked, and `cause` is the name of what it did.

    Says of a failed upstream no more than its kind: its text may hold what the caller must not see. What it said
    about the request itself is for the caller. The retries were ours: the client is told not to repeat them.
    """

    def __init__(
        self,
        model: str,
        cause: str,
        *,
        status: int,
        code: str,
        what: str,
        param: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        error_type = {400: "invalid_request_error", 429: "rate_limit_error"}.get(status, "upstream_error")
        super().__init__(
            status,
            error_type,
            f"No model answered; the last one asked, {model}, {what}.",
            code=code,
            param=param,
            retry_after=retry_after,
            should_retry=False,
        )
        self.model = model
        self.cause = cause
