"""What `fleetmeter run` puts first on PYTHONPATH: a folder whose `sitecustomize` each Python imports as it starts."""
