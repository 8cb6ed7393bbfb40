"""The LLM catalogue: metrics of an LLM service, and one helper to record each thing that happens in it.

The metrics themselves are in `fleetmeter.llm.catalogue`, the fixed label values in
`fleetmeter.llm.vocabulary`.
"""

from fleetmeter.attribution.context import attributes
from fleetmeter.llm.any_call import record_call
from fleetmeter.llm.calls import record_openai_call
from fleetmeter.llm.catalogue import REGISTRY
from fleetmeter.llm.configuration import configure
from fleetmeter.llm.records import (
    record_cache_operation,
    record_cost_savings,
    record_error,
    record_model_fallback,
    record_model_routing_duration,
    record_model_selection,
    record_openai_error,
    record_tool_execution,
    update_cache_metrics,
)
from fleetmeter.pricing.usage import Usage

__all__ = [
    # the registry and its labels
    "REGISTRY",
    "configure",
    "attributes",
    # routing
    "record_model_selection",
    "record_model_fallback",
    "record_model_routing_duration",
    "record_cost_savings",
    # prompt cache
    "record_cache_operation",
    "update_cache_metrics",
    # calls
    "Usage",
    "record_call",
    "record_openai_call",
    "record_openai_error",
    # everything else
    "record_error",
    "record_tool_execution",
]
