"""`fleetmeter prices`: the rates of models and their sources, and the bill for a file of usages."""
