"""Writes deploy/kubernetes from the chart: plain manifests, for clusters without Helm.

python deploy/manifests.py            write them anew
python deploy/manifests.py --check    say whether they are what the chart renders; exit status 1 if not
"""

import re
import sys
from pathlib import Path

import helm_python
import yaml

CHART = Path(__file__).parent / "helm" / "fleetmeter"
FOLDER = Path(__file__).parent / "kubernetes"
VALUES = FOLDER / "values.yaml"
MANIFESTS = FOLDER / "fleetmeter.yaml"
NAME = NAMESPACE = "fleetmeter"

_HEAD = """\
# Rendered from deploy/helm/fleetmeter with values.yaml of this folder, by `make manifests`: change those, not this.
# docs/deploy.md says which Secret it expects, and how to load rules and dashboards.
"""
_OF_HELM = re.compile(r"^ +(app\.kubernetes\.io/managed-by|helm\.sh/chart): .*\n", re.MULTILINE)


def manifests() -> str:
    """What the file should hold."""
    values = yaml.safe_load(VALUES.read_text(encoding="utf-8"))
    with helm_python.Chart.load(CHART) as chart:
        rendered = chart.render(values, name=NAME, namespace=NAMESPACE)
    texts = [text for path, text in sorted(rendered.items()) if path.endswith(".yaml")]
    documents = [part.strip("\n") for text in texts for part in re.split(r"^---$", text, flags=re.MULTILINE)]
    return _OF_HELM.sub("", _HEAD + "".join(f"---\n{document}\n" for document in documents if document.strip()))


def main(arguments: list[str]) -> int:
    """Write the file, or compare it."""
    wanted = manifests()
    if arguments != ["--check"]:
        MANIFESTS.write_text(wanted, encoding="utf-8")
        return 0
    if MANIFESTS.read_text(encoding="utf-8") == wanted:
        return 0
    sys.stderr.write(f"{MANIFESTS.name} is not what the chart renders; run: make manifests\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
