"""An Alertmanager for the demo: the repository's own configuration, with a webhook if one is given."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from fleetmeter_app.demo.processes import Program
from fleetmeter_app.demo.prometheus import TEMPLATE
from fleetmeter_app.demo.windows import shortened

BINARIES = ("alertmanager", "prometheus-alertmanager")
"""The program's own name, and Debian's."""

_SETTING = re.compile(r"^( *)#(?! \S)(.+)$")
"""A setting that is commented out. A line of prose has exactly one space after its #."""

_WEBHOOK = "http://127.0.0.1:9095/alerts"


def with_receivers(template: str, *kinds: str) -> str:
    """The text with these kinds of receivers (slack, discord, pagerduty, webhook) no longer commented out."""
    lines = []
    wanted = False
    for line in template.splitlines():
        setting = _SETTING.match(line)
        if setting is None:
            wanted = False
        elif (kind := re.match(r"(\w+)_configs:", setting[2])) is not None:
            wanted = kind[1] in kinds
        lines.append(setting[1] + setting[2] if setting is not None and wanted else line)
    return "\n".join(lines) + "\n"


def configuration(template: str, webhook: str | None, speed: float) -> str:
    """The text with its waits divided by `speed`, and with the receiver `webhook` if there is one."""
    if webhook is not None:
        template = with_receivers(template, "webhook").replace(_WEBHOOK, webhook)
    return shortened(template, speed)


def found(search_path: str | None) -> str | None:
    """The program's path, or None."""
    return next((path for name in BINARIES if (path := shutil.which(name, path=search_path)) is not None), None)


def reason_to_leave_out(search_path: str | None, no_prometheus: str | None) -> str | None:
    """Why there will be no Alertmanager, or None."""
    if no_prometheus is not None:
        return "left out: without a Prometheus it gets no alerts"
    if found(search_path) is None:
        return "left out: no program 'alertmanager' on the PATH"
    return None


def program(
    directory: Path, address: str, environ: Mapping[str, str], webhook: str | None = None, speed: float = 1
) -> Program:
    """Alertmanager with its data and its configuration below `directory`."""
    config = directory / "alertmanager.yml"
    template = (TEMPLATE / "alertmanager.yml").read_text(encoding="utf-8")
    config.write_text(configuration(template, webhook, speed), encoding="utf-8")
    command = [
        found(environ.get("PATH")) or BINARIES[0], f"--config.file={config}",
        f"--storage.path={directory / 'alertmanager-data'}", f"--web.listen-address={address}",
        "--cluster.listen-address=",  # it is the only one, and must not look for others
    ]  # fmt: skip
    return Program("alertmanager", command, environ, address, f"http://{address}/-/ready")
