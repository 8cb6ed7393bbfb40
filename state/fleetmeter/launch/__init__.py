"""What `fleetmeter run` puts first on PYTHONPATH: a folder that each Python looks into as it starts."""
