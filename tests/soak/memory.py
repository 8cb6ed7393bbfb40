"""The memory of processes over time, or over requests."""

from dataclasses import dataclass, field

from bench.processes import megabytes

SETTLED = 1 / 3
"""The share of a run after which a process has everything that it keeps: pools, compiled patterns, series."""


@dataclass
class Memory:
    """Samples of one process: where the run was, in any unit, and the megabytes that were resident."""

    pid: int
    samples: list[tuple[float, float]] = field(default_factory=list)

    def look(self, place: float) -> None:
        """Take a sample; a process that has ended gives none."""
        try:
            self.samples.append((place, megabytes(self.pid)[0]))
        except FileNotFoundError:
            return

    def _settled(self) -> list[tuple[float, float]]:
        first, last = self.samples[0][0], self.samples[-1][0]
        return [sample for sample in self.samples if sample[0] >= first + (last - first) * SETTLED]

    @property
    def slope(self) -> float:
        """Megabytes per unit, by least squares over the settled part; 0 of too few samples."""
        samples = self._settled() if len(self.samples) > 2 else []
        if len(samples) < 3:
            return 0.0
        mean_x = sum(x for x, _ in samples) / len(samples)
        mean_y = sum(y for _, y in samples) / len(samples)
        spread = sum((x - mean_x) ** 2 for x, _ in samples)
        return sum((x - mean_x) * (y - mean_y) for x, y in samples) / spread if spread else 0.0

    def told(self, unit: str, scale: float = 1.0) -> str:
        """In words: from where to where, and the slope per `scale` units."""
        first, last = self.samples[0][1], self.samples[-1][1]
        settled = self._settled()[0][1]
        return f"{first:.1f} at first, {settled:.1f} settled, {last:.1f} at last, {self.slope * scale:+.2f} MB {unit}"
