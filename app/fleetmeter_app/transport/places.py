"""The deployments of a model, and which of them gets the next request: the one with the fewest in flight."""

from collections.abc import Collection, Sequence

from fleetmeter_app.config.deployments import Deployment


class Place:
    """One model at one deployment: what a circuit breaker is kept for. `outstanding` requests are in flight there."""

    __slots__ = ("deployment", "given", "model", "name", "outstanding")

    def __init__(self, deployment: Deployment, model: str) -> None:
        self.deployment = deployment
        self.name = f"{deployment.name}/{model}"
        self.model = deployment.model_names.get(model, model)
        self.outstanding = 0
        self.given = 0

    @property
    def load(self) -> tuple[float, float]:
        """Requests in flight, this one included, by weight; and so many it was given at all, which decides a tie."""
        return (self.outstanding + 1) / self.deployment.weight, (self.given + 1) / self.deployment.weight


def least_loaded(places: Sequence[Place], tried: Collection[Place] = ()) -> Place | None:
    """The place with the fewest requests in flight by weight, of those that were not tried yet; None if there is none.

    Among equals it is the one that was given the fewest by weight so far, so that quiet times are shared, too.
    """
    best: Place | None = None
    for place in places:
        if place not in tried and (best is None or place.load < best.load):
            best = place
    return best
