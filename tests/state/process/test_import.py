"""What `import fleetmeter` loads."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import json, sys
import prometheus_client
before = set(sys.modules)
import fleetmeter
print(json.dumps(sorted(name for name in set(sys.modules) - before if "." not in name)))
"""


@pytest.mark.parametrize("module", ["redis", "hiredis", "asyncio", "ssl", "openai", "fastapi", "genai_prices"])
def test_who_imports_fleetmeter_waits_for_no_large_module(module: str) -> None:
    """A library that imports it, in a program that never installs it, costs that program next to nothing."""
    loaded = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True).stdout
    assert module not in json.loads(loaded)
