"""`fleetmeter prices`: rates and where they come from, and what a file of usages costs."""
