"""Upper bounds of the catalogue's histograms, in the units of their families."""

CALL_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Bounds in seconds; 600 s is the SDK's timeout."""
FIRST_TOKEN_SECONDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0)
"""Bounds in seconds, finest where people notice a wait."""
ROUTING_SECONDS = (
    *(1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4),
    *(1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
)
"""Bounds in seconds; rules in memory take microseconds, a classifier a good part of a second."""
TOOL_SECONDS = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0),
)
"""Bounds in seconds, from a lookup in memory to a slow remote job."""
TOKENS = tuple(float(4**power) for power in range(11))
"""Bounds in tokens: powers of 4 up to 1,048,576, above the largest context of the price list (922,000)."""
COST_USD = (1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Bounds in US dollars, two for each power of ten."""
