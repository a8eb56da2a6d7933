"""quixstreams: state in RocksDB, with a changelog topic, as it is by default."""

from __future__ import annotations

import json
import sys
from typing import Any

from quixstreams import Application
from watch import Watch, fold  # beside this file, which is in its path

watch = Watch()


def main(servers: str, topic: str, folder: str) -> None:
    app = Application(
        broker_address=servers, consumer_group=f"quix-{topic}", state_dir=folder, auto_offset_reset="earliest",
        use_changelog_topics=True, loglevel="ERROR",
    )  # fmt: skip
    events = app.dataframe(app.topic(topic, value_deserializer="bytes"))

    def folded(value: bytes, _key: Any, _time: Any, headers: Any, state: Any) -> None:
        kind = next(raw for name, raw in headers if name == "ce_type").decode()
        state.set("case", fold(state.get("case"), kind, json.loads(value)))
        watch.saw()

    events.update(folded, metadata=True, stateful=True)
    watch.end_when_idle()
    app.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
