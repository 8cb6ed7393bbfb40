"""The whole system on one machine, under load, with a comparison of all counts at the end.

Run it with `python -m fleetmeter_app.demo`.
"""
