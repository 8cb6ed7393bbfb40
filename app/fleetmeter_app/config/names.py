"""Names that stand in a configuration: tiers, intents and deployments become label values, short and plain ones."""

import re

from fleetmeter_app.tables import Table

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def require_name(tables: Table, name: str) -> None:
    """Refuse a name that cannot be a label value."""
    if _NAME.fullmatch(name) is None:
        tables.refuse(name, "is no usable name: 1 to 64 letters, digits, _, . and -, the first a letter or digit")
