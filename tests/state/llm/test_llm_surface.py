"""The public names of the LLM packages, and what importing them costs."""

import subprocess
import sys
from types import ModuleType

import pytest

import fleetmeter.llm
import fleetmeter.pricing


@pytest.mark.parametrize("package", [fleetmeter.llm, fleetmeter.pricing])
def test_all_names_exactly_what_is_public(package: ModuleType) -> None:
    """`__all__` holds every public name that is no submodule, and nothing else."""
    public = {
        name for name, value in vars(package).items() if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert set(package.__all__) == public
    assert len(package.__all__) == len(public)


def test_importing_needs_no_optional_package() -> None:
    """Neither openai nor genai-prices is imported before it is needed."""
    program = (
        "import sys, fleetmeter.llm, fleetmeter.pricing; fleetmeter.pricing.PriceList(); "
        "print(sorted({'openai', 'genai_prices', 'pydantic'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert answer.stdout.strip() == "[]"
