"""A subscriber as a process of its own, run until it has read everything.

Invariant: it is stopped when its group has committed the end of every partition, never after a time.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from chassis.settings import Settings
from tests.service.platform_helpers import until

READING_SECONDS = 60.0


async def read_all(
    settings: Settings,
    command: Sequence[str | Path],
    *,
    group: str,
    topics: Sequence[str],
    folder: Path,
    environ: Mapping[str, str],
) -> list[str]:
    """Run a command until `group` has read the topics to their ends; the lines that it said on its standard output."""
    output, errors = folder / "stdout", folder / "stderr"
    with output.open("wb") as out, errors.open("wb") as err:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env={"PATH": os.environ["PATH"], "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers, **environ},
        )
        try:
            admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
            consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers)
            await admin.start()
            await consumer.start()
            try:
                partitions = [TopicPartition(topic, n) for topic in topics for n in range(settings.partitions)]
                ends = {each: end for each, end in (await consumer.end_offsets(partitions)).items() if end > 0}

                async def is_read() -> bool:
                    assert process.poll() is None, f"ended with {process.returncode}: {errors.read_text()}"
                    try:
                        committed = await admin.list_consumer_group_offsets(group)
                    except GroupCoordinatorNotAvailableError:
                        # The first group of a broker's life: the topic of offsets is being made.
                        return False
                    return all(each in committed and committed[each].offset >= end for each, end in ends.items())

                await until(is_read, f"{group} at the ends of {topics}", READING_SECONDS)
            finally:
                await consumer.stop()
                await admin.close()
            process.send_signal(signal.SIGTERM)
            process.wait(20)
        finally:
            process.kill()
            process.wait()
    return output.read_text("utf-8").splitlines()
