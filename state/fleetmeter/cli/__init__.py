"""The command line: `fleetmeter run`, and the operator's `ls | forget | reset | doctor | top`, one module each."""
