"""`python -m fleetmeter_app.upstream` serves the upstream."""

import sys

from fleetmeter_app.upstream.server import main

sys.exit(main())
