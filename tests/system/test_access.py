"""Who may read what, with the users and rules of `deploy/`: refused by the engines, not by politeness of the code."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator, Awaitable, Mapping

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import NoError, TopicAuthorizationFailedError, for_code
from aiokafka.protocol.fetch import FetchRequest

from chassis.heads import topic_head
from chassis.kafka import client_options
from chassis.mongo import OperationFailure, connect
from contracts.intake import BACKGROUND_TOPIC
from contracts.matching import SOURCE as MATCHING_SOURCE
from contracts.matching import TOPIC as MATCHING_TOPIC
from contracts.registry import TOPICS
from deploy.databases import USERS
from deploy.local import demo
from deploy.local.documents import find_program
from deploy.local.places import ROOT
from deploy.local.player_scenario import expected
from deploy.local.services import NAMES
from tests.system.guarded import Guarded, guarded

pytestmark = pytest.mark.timeout(300)

UNAUTHORIZED = 13
READERS = {
    "dugnad.intake.v1": {"intake", "matching", "followup", "reporting"},
    "dugnad.background.v1": {"intake", "reporting"},
    "dugnad.matching.v1": {"intake", "matching", "followup", "reporting"},
    "dugnad.followup.v1": {"intake", "matching", "followup", "reporting"},
}


@pytest.fixture(scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Guarded]:
    async with guarded(find_program(os.environ), tmp_path_factory.mktemp("guarded")) as system:
        yield system


async def readable(system: Guarded, service: str, topic: str) -> bool:
    """Whether the broker gives that service records of a topic; asked by the request itself, as no client does."""
    client = AIOKafkaClient(**client_options(system.settings(service)))
    await client.bootstrap()
    try:
        node = client.get_random_node()
        answer = await client.send(node, FetchRequest(0, 0, 1_000_000, 0, [(topic, [(0, 0, 1_000_000)])]))
    finally:
        await client.close()
    ((_, ((_, code, *_),)),) = answer.topics
    assert for_code(code) in (NoError, TopicAuthorizationFailedError)
    return for_code(code) is NoError


async def refusal(attempt: Awaitable[object]) -> int | None:
    """The server's code for why not; None where it was done."""
    try:
        await attempt
    except OperationFailure as refused:
        return refused.code
    return None


async def test_both_cases_run_under_the_deployed_users_and_rules(system: Guarded) -> None:
    assert await demo.play(dict(system.urls)) == expected()


async def test_only_intake_and_reporting_can_read_background_facts(system: Guarded) -> None:
    found = {topic: {name for name in NAMES if await readable(system, name, topic)} for topic in TOPICS}
    assert found[BACKGROUND_TOPIC] == {"intake", "reporting"}
    assert found == READERS


@pytest.mark.parametrize("service", NAMES)
async def test_a_service_can_create_no_topic(system: Guarded, service: str) -> None:
    admin = AIOKafkaAdminClient(**client_options(system.settings(service)))
    await admin.start()
    try:
        answer = await admin.create_topics([NewTopic("dugnad.other.v1", 1, 1)])
    finally:
        await admin.close()
    assert [for_code(code) for _, code, *_ in answer.topic_errors] == [TopicAuthorizationFailedError]


async def test_a_database_user_sees_its_own_database_and_no_other(system: Guarded) -> None:
    intake = system.environments["intake"]
    uris = {
        **{name: system.environments[name]["MONGODB_URI"] for name in NAMES},
        "keyring": intake["DUGNAD_KEYRING_MONGODB_URI"],
        "background": intake["DUGNAD_BACKGROUND_MONGODB_URI"],
    }
    assert set(uris) == set(USERS)
    for user, uri in uris.items():
        client = connect(system.settings("intake"), uri)
        databases = {name: client[system.settings("intake").database(name)] for name in USERS}
        reads = {name: await refusal(database["keys"].find_one({})) for name, database in databases.items()}
        writes = {name: await refusal(database["other"].insert_one({})) for name, database in databases.items()}
        client.close()
        assert reads == writes == {name: None if name == user else UNAUTHORIZED for name in USERS}


async def dugnad(variables: Mapping[str, str], *argv: str) -> tuple[int | None, str]:
    """Exit code and what the command said."""
    command = (sys.executable, "-m", "deploy.cli", *argv)
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env={**os.environ, **variables}, stdout=PIPE, stderr=STDOUT
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_the_operator_sends_a_topic_again_that_he_may_not_read_and_a_service_cannot(system: Guarded) -> None:
    service = system.environments["matching"]
    settings = system.settings("matching")
    before = await topic_head(settings, MATCHING_TOPIC)
    assert before.keys() == {MATCHING_SOURCE}
    code, said = await dugnad(service, "republish", "matching", "--yes")
    assert code == 3, said
    assert f"Topic {MATCHING_TOPIC} may not be deleted (TopicAuthorizationFailedError), and was not" in said
    assert await topic_head(settings, MATCHING_TOPIC) == before
    code, said = await dugnad({**service, **system.operator}, "republish", "matching", "--yes")
    assert code == 0, said
    assert f"{MATCHING_SOURCE}: sent again up to position {before[MATCHING_SOURCE]}" in said
    assert await topic_head(settings, MATCHING_TOPIC) == before
    code, said = await dugnad(service, "verify", "matching")
    assert code == 0, said
