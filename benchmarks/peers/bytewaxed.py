"""bytewax: state in memory with recovery snapshots in SQLite, run by `python -m bytewax.run`."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink
from watch import Watch, fold  # beside this file, which is in its path

SNAPSHOTS = timedelta(seconds=1)
watch = Watch()


def _keyed(message: Any) -> tuple[str, tuple[str, bytes]]:
    kind = next(raw for name, raw in message.headers if name == "ce_type").decode()
    return message.key.decode(), (kind, message.value)


def _folded(state: Any, event: tuple[str, bytes]) -> tuple[Any, int]:
    watch.saw()
    return fold(state, event[0], json.loads(event[1])), 1


def flow_of(servers: str, topic: str) -> Dataflow:
    """For `bytewax.run`, as `bytewaxed:flow_of('…', '…')`."""
    watch.end_when_idle()
    flow = Dataflow("placement")
    messages = op.input("kafka", flow, KafkaSource([servers], [topic], batch_size=500))
    keyed = op.map("key", messages, _keyed)
    folded = op.stateful_map("fold", keyed, _folded)
    op.output("out", folded, TestingSink([]))
    return flow
