"""faust-streaming: a table with its changelog topic."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import faust

sys.path.insert(0, os.path.dirname(__file__))
from watch import Watch, fold  # noqa: E402  # beside this file, not installed

watch = Watch()


def main(servers: str, topic: str, folder: str) -> None:
    app = faust.App(
        f"faust-{topic}", broker=f"kafka://{servers}", datadir=folder, topic_partitions=6, web_enabled=False,
        consumer_auto_offset_reset="earliest", store="memory://", key_serializer="raw", value_serializer="raw",
    )  # fmt: skip
    cases = app.Table("cases", default=dict, partitions=6, key_type=bytes, key_serializer="raw")

    @app.agent(app.topic(topic, key_type=bytes, value_type=bytes))
    async def folded(stream: Any) -> None:
        async for event in stream.events():
            headers = event.headers
            kind = dict(headers)["ce_type"].decode()
            cases[event.key] = fold(cases[event.key], kind, json.loads(event.value))
            watch.saw()

    watch.end_when_idle()
    faust.Worker(app, loglevel="error").execute_from_commandline()


if __name__ == "__main__":
    main(*sys.argv[1:])
