"""The operator's command line: `fleetmeter ls | forget | reset | doctor | top`, one module each."""
