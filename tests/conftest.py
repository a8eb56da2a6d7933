"""Engines for every test that asks for them: one start for the whole session, own databases and topics per test.

Invariant: no test sees what another one wrote, and the engine contract suite runs before whatever relies on it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from secrets import token_hex

import pytest
import structlog
from aiokafka.admin import AIOKafkaAdminClient

from chassis.mongo import Client, Database, connect
from chassis.mongo import database as open_database
from chassis.settings import Settings
from deploy.cli.quiet import LIBRARIES
from deploy.local.engines import Engines
from deploy.local.processes import LocalFault
from tests.shares import Share

HERE = Path(__file__).parent
FOLDERS = ("engines", "unit", "service", "clients", "subscribers", "browser", "system", "chaos")
"""In this order: what a failure further down would be explained by comes first."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--share", metavar="N/OF", help="only this share of the test files, for runs side by side: 1/3")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=_place)
    if (text := config.getoption("share")) is not None:
        try:
            mine = Share.parse(text).files(_file(item) for item in items)
        except ValueError as error:
            raise pytest.UsageError(str(error)) from error
        left_out = [item for item in items if _file(item) not in mine]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if _file(item) in mine]


def _file(item: pytest.Item) -> Path:
    return item.path.relative_to(HERE)


def _place(item: pytest.Item) -> tuple[int, bool]:
    return FOLDERS.index(_file(item).parts[0]), "last" in item.keywords


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "last: after the other tests of its folder")


@pytest.fixture(scope="session", autouse=True)
def _own_environment() -> Iterator[None]:
    """What a developer has set for running the system must not reach the settings that tests make."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in os.environ:
            if variable.startswith("DUGNAD_") and variable != "DUGNAD_MONGOD":
                patch.delenv(variable)
        yield


@pytest.fixture(autouse=True)
def _own_logs() -> Iterator[None]:
    """What a command or a service sets up to log must not reach later tests: half of one set-up with half of another
    ends a batch at the first line that it logs."""
    before = structlog.get_config()
    levels = {library: logging.getLogger(library).level for library in LIBRARIES}
    yield
    structlog.configure(**before)
    for library, level in levels.items():
        logging.getLogger(library).setLevel(level)


@pytest.fixture(scope="session")
async def engines(request: pytest.FixtureRequest) -> AsyncIterator[Engines]:
    """A broker and a document server, ready. A test may kill and restart them; it leaves both running."""
    try:
        engines = Engines.for_tests()
        await engines.start()
    except LocalFault as fault:
        pytest.exit(fault.message, returncode=3)
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.ensure_newline()
        reporter.write_line(f"Engines: {engines.description}")
    try:
        yield engines
    finally:
        await engines.stop()


@pytest.fixture(scope="module")
async def _young_documents(engines: Engines) -> None:
    """The document server in Python, started again for each file of tests: it keeps what it answered to each write for
    half an hour, and looks through all of that at the next one, five milliseconds long after ten thousand writes.
    """
    if engines.documents_kind == "secantusd-py":
        await engines.documents.stop()
        await engines.restart_documents()


@pytest.fixture
async def settings(engines: Engines, _young_documents: None) -> AsyncIterator[Settings]:
    """Settings with a prefix of their own. Databases and topics that carry it are removed afterwards."""
    settings = Settings(
        environment="development",
        kafka_bootstrap_servers=engines.kafka_bootstrap_servers,
        mongodb_uri=engines.mongodb_uri,
        prefix=f"t{token_hex(5)}_",
        synthetic_org_numbers=True,
    )
    yield settings
    await _drop_databases(settings)
    await _delete_topics(settings)


@pytest.fixture
async def mongo(settings: Settings) -> AsyncIterator[Client]:
    """A client of the document server."""
    client = connect(settings)
    yield client
    client.close()


@pytest.fixture
def database(mongo: Client, settings: Settings) -> Database:
    """An empty database, as the services open theirs."""
    return open_database(mongo, settings.database("test"))


async def _drop_databases(settings: Settings) -> None:
    # On a busy machine the Python server drops a thousand documents in more time than a call may take elsewhere.
    client = connect(settings.model_copy(update={"engine_timeout_seconds": 60.0}))
    try:
        for name in await client.list_database_names():
            if name.startswith(settings.prefix):
                await client.drop_database(name)
    finally:
        client.close()


async def _delete_topics(settings: Settings) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap_servers)
    try:
        await admin.start()
        topics = [topic for topic in await admin.list_topics() if topic.startswith(settings.prefix)]
        if topics:
            await admin.delete_topics(topics)
    finally:
        await admin.close()
