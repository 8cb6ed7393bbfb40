"""The same calls under OpenTelemetry's names, for teams whose dashboards ask for those; off unless it is wanted.

Names, attributes, bounds: OpenTelemetry's conventions for generative AI metrics, `docs/gen-ai/gen-ai-metrics.md`
in https://github.com/open-telemetry/semantic-conventions-genai (status: development), as their Prometheus exporter
spells them. `gen_ai_system` is the earlier name of `gen_ai_provider_name`; both are there, with one value, so that
dashboards of either age find theirs. Tokens are only reported if they are certain, as the conventions demand.
"""

import os
import sys
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, Histogram

from fleetmeter.errors import SettingError
from fleetmeter.llm.vocabulary import OPENAI_ERROR_TYPES, VOCABULARY, LabelSet
from fleetmeter.pricing.usage import Usage

VARIABLE = "FLEETMETER_GENAI_METRICS"
REGISTRY = CollectorRegistry()
"""Empty until they are wanted, and apart from the catalogue's."""
TOKENS = tuple(float(4**power) for power in range(14))
SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
OPERATIONS = {
    "chat.completions": "chat",
    "responses": "chat",
    "completions": "text_completion",
    "embeddings": "embeddings",
}
"""The conventions' operation of each endpoint; calls of other endpoints are no operation of theirs."""
_PROVIDERS = {
    "azure": "azure.ai.openai", "aws": "aws.bedrock", "google": "gcp.gen_ai", "mistral": "mistral_ai",
    "moonshotai": "moonshot_ai", "x-ai": "x_ai",
}  # fmt: skip
"""The conventions' names of providers that genai-prices names otherwise."""
_OUTPUT = ("completion", "reasoning", "audio_out", "image_out")
_OTHER = "_OTHER"
_COMMON = (
    *("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_system", "gen_ai_request_model"),
    *("gen_ai_response_model", "server_address"),
)
_providers = LabelSet("gen_ai_provider_name", 20)
_servers = LabelSet("server_address", 20)


class Families(NamedTuple):
    """The two families."""

    tokens: Histogram
    duration: Histogram


@cache
def families() -> Families:
    """The families, declared when first asked for."""
    return Families(
        Histogram(
            "gen_ai_client_token_usage", "Number of input and output tokens used.",
            [*_COMMON, "gen_ai_token_type"], buckets=TOKENS, registry=REGISTRY,
        ),
        Histogram(
            "gen_ai_client_operation_duration_seconds", "Seconds that an operation of generative AI took.",
            [*_COMMON, "error_type"], unit="seconds", buckets=SECONDS, registry=REGISTRY,
        ),
    )  # fmt: skip


def wanted(environ: Mapping[str, str] | None = None) -> bool:
    """Whether the environment wants them. Raises `SettingError` for what is neither true nor false."""
    text = (os.environ if environ is None else environ).get(VARIABLE, "").strip().lower()
    if text not in ("", "true", "false"):
        raise SettingError(VARIABLE, f"{text!r} cannot be used; expected true or false")
    return text == "true"


def trace_exemplar() -> dict[str, str] | None:
    """The ids of the span that is active here and sampled; None if the application has none, or no OpenTelemetry."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    context = trace.get_current_span().get_span_context()
    if not context.is_valid or not context.trace_flags.sampled:
        return None
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


def record_operation(
    *,
    endpoint: str,
    provider: str | None,
    asked: str,
    answered: str,
    base_url: object,
    duration: float,
    usage: object,
    error: str | None,
    exemplar: dict[str, str] | None,
) -> None:
    """One call under OpenTelemetry's names; `asked` and `answered` are models as the catalogue counts them."""
    operation = OPERATIONS.get(endpoint)
    if operation is None:
        return
    name = _OTHER if provider is None else _providers.admit(_PROVIDERS.get(provider, provider))
    server = _servers.admit(urlsplit(str(base_url)).hostname or "") if base_url is not None else ""
    common = (operation, name, name, VOCABULARY.model(asked), VOCABULARY.model(answered), server)
    failure = "" if error is None else error if error in OPENAI_ERROR_TYPES else _OTHER
    tokens, seconds = families()
    seconds.labels(*common, failure).observe(duration, exemplar)
    if not isinstance(usage, Usage):
        return
    by_type = usage.disjoint()
    output = sum(by_type.get(kind, 0) for kind in _OUTPUT)
    tokens.labels(*common, "input").observe(sum(by_type.values()) - output, exemplar)
    if operation != "embeddings":
        tokens.labels(*common, "output").observe(output, exemplar)
