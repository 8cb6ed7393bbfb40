"""Families of the catalogue that the gateway and its demo do not fill, so that checks which need data pass them by.

They are declared, shown on dashboards and may stand in rules all the same. A family leaves this list with the change
that begins to record it.
"""

UNRECORDED = frozenset(
    (
        # streaming
        "openai_time_to_first_token_seconds",
        "openai_stream_aborts_total",
        # tools
        "tool_executions_total",
        "tool_execution_duration_seconds",
        # the circuit breaker
        "model_circuit_state",
        # budgets
        "budget_limit_usd",
        "budget_spent_usd",
        # recorded, but no end is announced for a model that the demo uses
        "openai_model_shutdown_timestamp_seconds",
    )
)
"""Names as an exposition shows them: counters with `_total`, histograms without their suffixes."""
