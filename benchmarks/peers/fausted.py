"""faust-streaming: a table with its changelog topic."""

from __future__ import annotations

import json
import sys
from typing import Any

import faust
from watch import Watch, fold  # beside this file, which is in its path

watch = Watch()


def main(servers: str, topic: str, folder: str) -> None:
    app = faust.App(
        f"faust-{topic}", broker=f"kafka://{servers}", datadir=folder, topic_partitions=6, web_enabled=False,
        consumer_auto_offset_reset="earliest", store="memory://", key_serializer="raw", value_serializer="raw",
    )  # fmt: skip
    cases = app.Table("cases", default=dict, partitions=6, key_type=str, value_type=dict)

    async def folded(stream: Any) -> None:
        async for event in stream.events():
            headers = event.headers
            kind = dict(headers)["ce_type"].decode()
            key = event.key.decode()
            cases[key] = fold(cases[key], kind, json.loads(event.value))
            watch.saw()

    app.agent(app.topic(topic, key_type=bytes, value_type=bytes))(folded)
    watch.end_when_idle()
    faust.Worker(app, loglevel="error", quiet=True, redirect_stdouts=False).execute_from_commandline()


if __name__ == "__main__":
    main(*sys.argv[1:])
