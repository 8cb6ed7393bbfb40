"""The whole system on one machine, under load, with the proof at the end: `python -m fleetmeter_app.demo`."""
