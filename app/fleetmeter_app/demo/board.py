"""The board of the demo: the page that shows the fleet in a browser."""

import sys
from collections.abc import Mapping
from importlib.util import find_spec

from fleetmeter_app.demo.processes import Program


def reason_to_leave_out() -> str | None:
    """Why there will be no board, or None."""
    if find_spec("nicegui") is None:
        return "left out: nicegui is not installed; install it with: pip install 'fleetmeter[board]'"
    return None


def program(address: str, environ: Mapping[str, str], prometheus: str | None, order: int) -> Program:
    """The board at an address, with a Prometheus if there is one; `environ` names the store."""
    command = [sys.executable, "-m", "fleetmeter.cli", "board", "--web.listen-address", address]
    if prometheus is not None:
        command += ["--prometheus", prometheus]
    return Program("board", command, environ, address, f"http://{address}/-/ready", order)
