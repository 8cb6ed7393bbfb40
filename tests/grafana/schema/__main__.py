"""`make grafana-schemas`: have TypeScript hold every dashboard against `@grafana/schema` of Grafana 10 to 13.

The package comes from npm, and holds Grafana's own types: each dashboard, panel, and panel's options and field settings
is written as a literal of its type, and the compiler refuses what that version does not know.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from observation.dashboards import documents, opened

VERSIONS = ("10.1.9", "10.4.19", "11.6.16", "12.4.11", "13.2.3")
"""The first whose types are whole, and the newest of each generation."""
MISTAKES = 4
_COMPILER = "typescript@5.9.3"
_KINDS = {
    "timeseries": "TimeSeries", "stat": "Stat", "gauge": "Gauge", "bargauge": "BarGauge", "piechart": "PieChart",
    "heatmap": "Heatmap", "table": "Table", "text": "Text",
}  # fmt: skip
_WITH_FIELDS = ("timeseries", "piechart", "heatmap")
"""Kinds that have settings of their own for each field."""
_OF_THE_DATA_SOURCE = ("expr", "step", "tagKeys", "textFormat", "titleFormat")
"""What an annotation holds for Prometheus: a dashboard's schema leaves a data source's fields out."""
_HEAD = """
import type { Dashboard, Panel, RowPanel } from '@grafana/schema';
type Loose<T> = unknown extends T ? any
  : T extends string ? `${T}`
  : T extends (infer U)[] ? Loose<U>[]
  : T extends object ? { [K in keyof T]?: Loose<T[K]> }
  : T;
"""
"""An enumeration's value stands as its text, and what is left out has a default."""
_SETTINGS = {
    "compilerOptions": {
        "strict": True, "noEmit": True, "skipLibCheck": True, "module": "esnext", "moduleResolution": "node10",
        "target": "es2022", "types": [],
    }
}  # fmt: skip


def program(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The dashboards as TypeScript."""
    imports = [
        f"import type * as {kind} from '@grafana/schema/dist/esm/raw/composable/{kind}/panelcfg/x/"
        f"{name}PanelCfg_types.gen';"
        for kind, name in _KINDS.items()
    ]
    lines = [_HEAD, *imports]
    for name, document in found.items():
        lines += _dashboard(name, document)
    return "\n".join(lines) + "\n"


def _dashboard(name: str, document: Mapping[str, Any]) -> Iterator[str]:
    whole = json.loads(json.dumps({**document, "panels": []}))
    for annotation in whole["annotations"]["list"]:
        for field in _OF_THE_DATA_SOURCE:
            annotation.pop(field, None)
    yield _constant(f"{name}", "Loose<Dashboard>", whole)
    for panel, _ in opened(document["panels"]):
        place = f"{name}_{panel['id']}"
        if panel["type"] == "row":
            yield _constant(place, "Loose<RowPanel>", {**panel, "panels": []})
            continue
        yield _constant(place, "Loose<Panel>", _with_numbers(panel))
        kind = panel["type"]
        yield _constant(f"{place}_options", f"Loose<{kind}.Options>", panel["options"])
        if kind in _WITH_FIELDS:
            custom = panel["fieldConfig"]["defaults"].get("custom", {})
            yield _constant(f"{place}_fields", f"Loose<{kind}.FieldConfig>", custom)


def _with_numbers(panel: Mapping[str, Any]) -> Any:
    """The panel with 0 for each lowest threshold, which is minus infinity: null in JSON, and a number to the types."""
    return json.loads(json.dumps(panel).replace('"value": null', '"value": 0'))


def _constant(name: str, kind: str, value: object) -> str:
    return f"export const {name}: {kind} = {json.dumps(value)};"


def complaints(version: str, texts: Mapping[str, str], folder: Path) -> Mapping[str, list[str]]:
    """What the compiler says of each program with that version's types. Raises `CalledProcessError` if npm fails."""
    (folder / "package.json").write_text('{"private": true}')
    fetch = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
    subprocess.run([*fetch, f"@grafana/schema@{version}", _COMPILER], cwd=folder, check=True)
    (folder / "tsconfig.json").write_text(json.dumps(_SETTINGS | {"files": [*texts]}))
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    compiler = folder / "node_modules" / "typescript" / "bin" / "tsc"
    done = subprocess.run(["node", str(compiler)], cwd=folder, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if ": error TS" in line]
    return {name: [line for line in lines if line.startswith(name)] for name in texts}


def spoilt(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """One with a field that no version knows, in the dashboard, a panel and its options, and a number for a text."""
    document = json.loads(json.dumps(found["cost"]))
    document["neverHeardOf"] = 1
    document["panels"][0]["neverHeardOf"] = 1
    document["panels"][1]["options"]["neverHeardOf"] = 1
    document["panels"][2]["title"] = 7
    return {"cost": document}


def main() -> int:
    """Print what each version refuses; 1 if any refuses something, or if one would accept anything."""
    parser = argparse.ArgumentParser(prog="make grafana-schemas", description=__doc__)
    parser.add_argument("versions", nargs="*", default=VERSIONS, help="of @grafana/schema (default: %(default)s)")
    arguments = parser.parse_args()
    if shutil.which("npm") is None:
        sys.stderr.write("make grafana-schemas: no program 'npm' on the PATH; install it (Debian: npm)\n")
        return 1
    failed = False
    for version in arguments.versions:
        texts = {"dashboards.ts": program(documents()), "mistakes.ts": program(spoilt(documents()))}
        with tempfile.TemporaryDirectory(prefix="fm-grafana-") as folder:
            found = complaints(version, texts, Path(folder))
        refused, noticed = found["dashboards.ts"], len(found["mistakes.ts"])
        sys.stdout.write(f"@grafana/schema {version}: {len(documents())} dashboards, {len(refused)} complaints; ")
        sys.stdout.write(f"{noticed} of {MISTAKES} mistakes found\n")
        sys.stdout.writelines(f"  {line}\n" for line in refused)
        failed |= bool(refused) or noticed != MISTAKES
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
