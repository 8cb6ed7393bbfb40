"""The exposition as text: from blocks if possible, which are fast, and in the general way for the rest."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import lru_cache

from fleetmeter.reader.families import Family, Source
from fleetmeter.reader.sample import Labels, Sample
from fleetmeter.schema.definition import Definition
from fleetmeter.schema.scale import ADDED_TYPES
from fleetmeter_exporter.exposition.added_block import AddedBlock
from fleetmeter_exporter.exposition.block import Subject
from fleetmeter_exporter.exposition.body import Body
from fleetmeter_exporter.exposition.fact_blocks import InfoBlock, StateBlock
from fleetmeter_exporter.exposition.formats import Format
from fleetmeter_exporter.exposition.gauge_block import GaugeBlock
from fleetmeter_exporter.exposition.groups import groups_of
from fleetmeter_exporter.exposition.lines import SampleLines, UnfitName, created_head, head, own_labels
from fleetmeter_exporter.exposition.own_metrics import constant_labels, own_families
from fleetmeter_exporter.exposition.packed_block import LayoutNumbers, PackedBlock
from fleetmeter_exporter.exposition.unwritten import Unwritten
from fleetmeter_exporter.fleet import Scrape

Block = AddedBlock | PackedBlock | GaugeBlock | InfoBlock | StateBlock

_BLOCKS: dict[str, Callable[[Subject], Block]] = {
    **dict.fromkeys(ADDED_TYPES, AddedBlock),
    "gauge": GaugeBlock,
    "info": InfoBlock,
    "stateset": StateBlock,
}
"""The class of blocks for each type."""

_head = lru_cache(maxsize=4096)(head)


class Exposition:
    """Writes expositions in one format, and keeps parts of them between scrapes.

    `created` adds `_created` samples. Only one thread may use it at a time.
    """

    def __init__(self, form: Format, *, created: bool = False) -> None:
        self._form = form
        self._created = created
        self._blocks: dict[tuple[str, str], Block] = {}
        self._lines: dict[tuple[str, str], SampleLines] = {}
        self._used: set[Block | SampleLines] = set()
        self.samples = 0
        """How many samples of the fleet's families the last exposition had."""

    def text(self, scrapes: Sequence[Scrape], started: float, names: Collection[str] = ()) -> bytes:
        """The same as `body`, as one text."""
        return self.body(scrapes, started, names).whole()

    def body(self, scrapes: Sequence[Scrape], started: float, names: Collection[str] = ()) -> Body:
        """The exposition of these scrapes. `started` is the time when they began, by `time.perf_counter`.

        If there are `names`, only samples with these names are written.
        """
        self._used = set()
        series = dict.fromkeys((scrape.namespace for scrape in scrapes), 0)
        parts: list[bytes | Unwritten] = []
        for group in groups_of(scrapes, self._form.escaping):
            texts: list[bytes | Unwritten] = []
            after, found_any = [], False
            for scrape, source in group.members:
                found = self._member(scrape, source, constant_labels(scrape, scrapes), names)
                if found is not None:
                    series[scrape.namespace] += found[0]
                    found_any = True
                    texts += found[1]
                    after.append(found[2])
            if any(texts) or (found_any and not names):
                parts += (_head(group.definition, self._form).encode(), *texts)
            if any(after):
                parts += (created_head(group.definition, self._form).encode(), *after)
        if not names:  # with names no block is used, and all must be kept for the next whole exposition
            unread = {scrape.namespace for scrape in scrapes if scrape.shown is None}  # as after a timeout
            self._blocks = {key: one for key, one in self._blocks.items() if one in self._used or key[0] in unread}
            self._lines = {key: one for key, one in self._lines.items() if one in self._used or key[0] in unread}
        self.samples = sum(series.values())
        parts[:0] = (self._own(family, names) for family in own_families(scrapes, list(series.values()), started))
        parts.append(b"\n# EOF\n" if self._form.openmetrics else b"\n")
        return Body(parts)

    def _member(
        self, scrape: Scrape, source: Source, constant: Labels, names: Collection[str]
    ) -> tuple[int, Sequence[bytes | Unwritten], bytes] | None:
        """One namespace's part of a family: the number of its lines, the lines, and the lines of creation times.

        If it cannot be shown, that is noted, and the result is None.
        """
        try:
            found = self._by_block(scrape, source, constant) if not names else None
            if found is not None:
                return found
            family = scrape.family(source)
            if family is None:
                return None
            samples = shown_samples(family, created=self._created, openmetrics=self._form.openmetrics)
            samples = [with_constant(sample, constant) for sample in samples]
            return self._general((scrape.namespace, source.newest.name), family.definition, samples, names)
        except UnfitName as error:
            scrape.note(source.newest.name, "conflict", f"family {source.newest.name!r} is not served: {error}")
            return None

    def _by_block(
        self, scrape: Scrape, source: Source, constant: Labels
    ) -> tuple[int, Sequence[bytes | Unwritten], bytes] | None:
        """The same, from a block; None if the general way must be taken."""
        if scrape.shown is None or scrape.families is None:
            return None
        packed = scrape.families.packed(source) if not self._created else None
        exemplars = self._form.openmetrics
        block = self._block(
            scrape, source, constant, PackedBlock if packed is not None else _BLOCKS[source.newest.type]
        )
        if isinstance(block, PackedBlock) and packed is not None:
            examples = [scrape.families.exemplars(layout) if exemplars else {} for layout in source.layouts]
            texts = block.text(list(map(LayoutNumbers, packed, examples)))
            return (block.samples, texts, block.created_lines) if texts is not None else None
        if isinstance(block, AddedBlock):
            text = block.text([scrape.families.amounts(layout, exemplars=exemplars) for layout in source.layouts])
        elif isinstance(block, PackedBlock) or scrape.families.is_read(source):
            return None
        else:
            text = block.text(scrape.families.statements, scrape.shown.snapshot)
        return (block.samples, [text], block.created_lines) if text is not None else None

    def _block(self, scrape: Scrape, source: Source, constant: Labels, kind: Callable[[Subject], Block]) -> Block:
        key = (scrape.namespace, source.newest.name)
        created = source.first_us / 1e6 if self._created and source.newest.type in ADDED_TYPES else None
        subject = Subject(source.newest, source.layouts, self._form, constant, created)
        block = self._blocks.get(key)
        if block is None or type(block) is not kind or block.subject != subject:
            block = self._blocks[key] = kind(subject)
        self._used.add(block)
        return block

    def _general(
        self, key: tuple[str, str], definition: Definition, samples: Sequence[Sample], names: Collection[str]
    ) -> tuple[int, Sequence[bytes], bytes]:
        if names:
            samples = [sample for sample in samples if definition.name + sample.suffix in names]
            lines = SampleLines(definition, self._form).of(samples)
        else:
            kept = self._lines.setdefault(key, SampleLines(definition, self._form))
            self._used.add(kept)
            lines = kept.of(samples)
        aside = [sample.suffix == "_created" and not self._form.openmetrics for sample in samples]
        among = "".join(line for line, away in zip(lines, aside, strict=True) if not away)
        after = "".join(line for line, away in zip(lines, aside, strict=True) if away)
        return len(samples), [among.encode()], after.encode()

    def _own(self, family: Family, names: Collection[str]) -> bytes:
        samples = [sample for sample in family.samples if not names or family.definition.name in names]
        lines = SampleLines(family.definition, self._form).of(samples)
        return "".join((_head(family.definition, self._form), *lines)).encode() if lines else b""


def shown_samples(family: Family, *, created: bool, openmetrics: bool) -> list[Sample]:
    """The family's samples. With `openmetrics`, samples that OpenMetrics forbids are left out.

    With `created`, a `_created` sample follows each series.
    """
    if openmetrics and family.definition.type in ("histogram", "summary"):
        family = replace(family, samples=_without_decreasing(family))
    if not created or family.definition.type not in ADDED_TYPES:
        return family.samples
    per_series: dict[Labels, list[Sample]] = {}
    for sample in family.samples:
        labels = sample.labels[:-1] if sample.suffix == "_bucket" else sample.labels
        per_series.setdefault(labels, []).append(sample)
    return [
        sample
        for labels, group in per_series.items()
        for sample in (*group, Sample("_created", labels, family.returned_us.get(labels, family.first_us) / 1e6))
    ]


def _without_decreasing(family: Family) -> list[Sample]:
    """The samples without those that OpenMetrics forbids for series with negative amounts.

    OpenMetrics forbids a negative `_sum`, a `_sum` beside a negative bound, and a histogram's `_count` without its
    `_sum`. Such a histogram is shown by its buckets alone, and the last bucket is the count. prometheus_client writes
    the forbidden samples, too, and then its own parser refuses the whole page.
    """
    parts = {"_sum", "_count"} if family.definition.type == "histogram" else {"_sum"}
    sums = {sample.labels for sample in family.samples if sample.suffix == "_sum" and not sample.value < 0}
    return [sample for sample in family.samples if sample.suffix not in parts or sample.labels in sums]


def with_constant(sample: Sample, constant: Labels) -> Sample:
    """The sample with these labels added."""
    if not constant:
        return sample
    names = own_labels([name for name, _ in sample.labels], dict(constant))
    own = zip(names, (value for _, value in sample.labels), strict=True)
    return sample._replace(labels=(*constant, *own))
