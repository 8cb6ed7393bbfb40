"""The demo's teams: what each may spend, and the API keys that the code of `fleetmeter keys` creates for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from fleetmeter.cli.target import NamespaceTarget
from fleetmeter.settings import Settings
from fleetmeter_app.guarding.keys.command import create_key
from fleetmeter_app.guarding.keys.secret import Secret

WINDOW = "month"
"""The period of the budgets: so long that hardly a demo sees its end."""


@dataclass(frozen=True)
class Team:
    """A team, and the US dollars that it may spend each month."""

    name: str
    limit_usd: float


WORKING = (Team("search", 50.0), Team("advice", 50.0))
TRIAL = Team("trial", 0.01)
"""Two of its questions use this up."""

TEAMS = (*WORKING, TRIAL)


def budgets_toml() -> str:
    """The gateway's budgets: one for each team."""
    return "".join(
        f'[budgets.{team.name}]\nteam = "{team.name}"\nlimit_usd = {team.limit_usd}\nwindow = "{WINDOW}"\n'
        for team in TEAMS
    )


def create_keys(url: str, namespace: str) -> Mapping[str, str]:
    """A new key for each team, by the team's name. Raises `StoreError`."""
    target = NamespaceTarget(Settings.from_env(url=url, namespace=namespace))
    return MappingProxyType({team.name: create_key(target, name="demo", team=team.name).text for team in TEAMS})


def wrong_key() -> str:
    """A key that no gateway knows."""
    return Secret.new().text
