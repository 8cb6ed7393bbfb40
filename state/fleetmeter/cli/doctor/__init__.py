"""`fleetmeter doctor`: what the store, its permissions and the state mean for the numbers."""
