"""`python -m fleetmeter.cli` is the command `fleetmeter`."""

import sys

from fleetmeter.cli.command import main

sys.exit(main())
