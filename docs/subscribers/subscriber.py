"""Keeps every event of some topics once, in a file of its own, and says up to where nothing is missing.

pip install aiokafka ./contracts
KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092 python subscriber.py events.db dugnad.intake.v1 dugnad.matching.v1
"""

import asyncio
import os
import signal
import sqlite3
import sys

from aiokafka import AIOKafkaConsumer, ConsumerRecord

from contracts.envelope import Undecodable, decode

TABLES = """
CREATE TABLE IF NOT EXISTS events (source TEXT, position INTEGER, type TEXT, subject TEXT, time TEXT, data TEXT,
    PRIMARY KEY (source, position));
CREATE TABLE IF NOT EXISTS set_aside (topic TEXT, partition INTEGER, "offset" INTEGER, reason TEXT,
    PRIMARY KEY (topic, partition, "offset"));
"""


def take(store: sqlite3.Connection, record: ConsumerRecord) -> None:
    """Store one record. The primary keys drop what comes twice."""
    try:
        envelope = decode(record.key, record.value, record.headers)
        event = envelope.event
    except Undecodable as error:
        # Not an event, or of a type or version that this version of the contracts does not know: set aside with where
        # it lies, never skipped in silence. After an update of the contracts, read it again from there.
        place = (record.topic, record.partition, record.offset, error.reason)
        store.execute("INSERT OR IGNORE INTO set_aside VALUES (?, ?, ?, ?)", place)
        print("set aside:", *place)
        return
    row = (envelope.source, envelope.sequence, envelope.type, envelope.subject, envelope.time.isoformat())
    data = event.model_dump_json()
    new = store.execute("INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?)", (*row, data)).rowcount
    if new:
        print(envelope.id, envelope.type, envelope.subject)


def completeness(store: sqlite3.Connection) -> list[tuple[str, int, int]]:
    """Per source how many positions are here, and the highest one: equal means that nothing is missing up to there.

    They may differ for a moment, since a source's events come through several partitions.
    """
    return store.execute(
        "SELECT source, count(*), max(position) FROM events GROUP BY source ORDER BY source"
    ).fetchall()


async def main(path: str, topics: list[str]) -> None:
    """Follow the topics until SIGTERM."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    store = sqlite3.connect(path)
    store.executescript(TABLES)
    consumer = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092"),
        group_id=os.environ.get("GROUP", "my-service"),
        # With the defaults a new group starts at the end, and offsets are committed before anything is stored.
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    # Leaves the group at the end: others, or the next start, need not wait until it counts as dead.
    async with consumer:
        while not stopping.is_set():
            batches = await consumer.getmany(timeout_ms=500, max_records=500)
            if not batches:
                continue
            with store:  # one transaction
                for records in batches.values():
                    for record in records:
                        take(store, record)
            # After the transaction: a process that dies in between gets the records again, and drops them.
            await consumer.commit()
            for source, here, highest in completeness(store):
                print(f"{source}: {here} of {highest}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
