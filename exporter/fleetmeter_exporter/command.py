"""The entry point of the command `fleetmeter-exporter`, which says so if its extra is not installed."""

import sys


def main() -> None:
    """Run the exporter; exit status 1 if it cannot be imported."""
    try:
        from fleetmeter_exporter.main import main as run
    except ImportError as error:
        sys.exit(f"fleetmeter-exporter: {error.name} is missing; install it with: pip install 'fleetmeter[exporter]'")
    run()
