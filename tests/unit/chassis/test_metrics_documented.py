"""The list of metrics that operators read is the one that the code declares."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from chassis import metrics

LISTED = Path(__file__).parents[3] / "docs" / "metrics.md"
_ROW = re.compile(r"\| `(dugnad_\w+)` \| (\w+) \| ([\w, ]*) \| ([^|]+) \| ([^|]+) \|")


def _declared() -> list[tuple[str, str, str, str]]:
    return [
        (family.name, family.type, ", ".join(metric._labelnames), family.documentation)
        for metric in vars(metrics).values()
        if isinstance(metric, MetricWrapperBase)
        for family in metric.describe()
    ]


def test_every_metric_is_listed_with_its_labels_and_meaning_in_the_order_of_the_code() -> None:
    rows = [row.groups() for row in map(_ROW.fullmatch, LISTED.read_text().splitlines()) if row is not None]
    assert [(name, kind, labels, meaning) for name, kind, labels, _, meaning in rows] == _declared()
    assert all(unit.strip() for _, _, _, unit, _ in rows)


def test_every_metric_says_in_its_name_when_it_counts_seconds() -> None:
    rows = [row.groups() for row in map(_ROW.fullmatch, LISTED.read_text().splitlines()) if row is not None]
    assert [name for name, _, _, unit, _ in rows if unit == "seconds"] == [
        name for name, *_ in _declared() if name.endswith("_seconds")
    ]
