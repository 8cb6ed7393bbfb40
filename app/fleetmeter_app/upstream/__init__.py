"""An OpenAI-compatible upstream for demo and tests: `python -m fleetmeter_app.upstream`."""
