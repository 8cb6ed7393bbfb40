"""`fleetmeter doctor`: checks the store, the user's permissions and the state, and says what they mean."""
