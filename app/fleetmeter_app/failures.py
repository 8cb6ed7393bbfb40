"""What the caller is told when no model answered, by the SDK's error of the last one."""

import openai

from fleetmeter_app.errors import UpstreamFailedError


def upstream_failed(model: str, error: openai.APIError) -> UpstreamFailedError:
    """The answer to the caller; `model` was the last one asked."""
    status, code, what = _failure_of(error)
    return UpstreamFailedError(model, type(error).__name__, status=status, code=code, what=what)


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
