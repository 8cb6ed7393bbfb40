"""The folder that `fleetmeter run` puts first on PYTHONPATH, so that each Python looks into it when it starts."""
