"""What the command `fleetmeter-app` starts, with a clear word where its extra is not installed."""


def main() -> int | str:
    """The exit status of the gateway, or the word that its extra is missing, which exits with 1."""
    try:
        from fleetmeter_app.main import main as run
    except ImportError as error:
        return f"fleetmeter-app: {error.name} is missing; install it with: pip install 'fleetmeter[app]'"
    return run()
