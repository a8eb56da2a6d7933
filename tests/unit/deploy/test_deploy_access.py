"""The access rules at the broker are exactly what the services need, as they are put together."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi import FastAPI

from chassis.settings import Settings
from contracts.intake import BACKGROUND_TOPIC
from contracts.registry import TOPICS
from deploy.local.places import ROOT
from services.followup.app import create_app as followup
from services.intake.app import create_app as intake
from services.matching.app import create_app as matching
from services.reporting.app import create_app as reporting
from tests.unit.deploy.deployables import SERVICES

RULES = (ROOT / "deploy" / "kafka" / "access.sh").read_text()
_RULE = re.compile(r"^topics (?P<user>\w+) +(?P<operations>[\w,]+) +(?P<topics>.+)$", re.MULTILINE)
APPS: dict[str, Callable[[Settings], FastAPI]] = {
    "intake": intake,
    "matching": matching,
    "followup": followup,
    "reporting": reporting,
}


def allowed(user: str, operation: str) -> set[str]:
    """The topics with which a user may do something."""
    rules = [rule for rule in _RULE.finditer(RULES) if rule["user"] == user]
    return {topic for rule in rules if operation in rule["operations"].split(",") for topic in rule["topics"].split()}


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_may_do_what_its_parts_do_and_no_more(service: str) -> None:
    settings = Settings.model_validate(
        {
            "environment": "development",
            "dev_issuer_key": "seed of a test, as long as it has to be",
            "kafka_bootstrap_servers": "127.0.0.1:1",
            "mongodb_uri": "mongodb://127.0.0.1:1",
        }
    )
    made = APPS[service](settings).state.web.service
    written = {log.topic for log in made._logs}
    read = {topic for serving in made._projections for topic in serving.projection.topics}
    read |= {topic for _, reaction in made._reactions for topic in reaction.topics}
    assert allowed(service, "Write") == written
    # A relay compares the end of its own topic with its log.
    assert allowed(service, "Read") == read | written


def test_only_intake_that_writes_them_and_reporting_read_background_facts() -> None:
    readers = {user for user in (*SERVICES, "operator") if BACKGROUND_TOPIC in allowed(user, "Read")}
    assert readers == {"intake", "reporting"}


def test_the_rules_name_every_topic_and_no_other() -> None:
    assert {topic for rule in _RULE.finditer(RULES) for topic in rule["topics"].split()} == set(TOPICS)


def test_each_service_has_groups_of_its_own_name() -> None:
    assert set(re.findall(r"^groups (\w+)$", RULES, re.MULTILINE)) == set(SERVICES)
    settings = Settings(environment="development", kafka_bootstrap_servers="", mongodb_uri="")
    assert all(settings.group(name, "any").startswith(f"dugnad.{name}.") for name in SERVICES)


def test_the_operator_reads_nothing() -> None:
    (rule,) = re.findall(r"^acls operator (\S+)", RULES, re.MULTILINE)
    assert "Read" not in rule.split(",")


def test_every_client_of_the_broker_is_made_from_one_set_of_options() -> None:
    direct = re.compile(r"AIOKafka\w+\((?!\s*(\*\*client_options|\Z))[^)]*bootstrap_servers=", re.DOTALL)
    for path in (*Path(ROOT / "chassis").rglob("*.py"), *Path(ROOT / "services").rglob("*.py")):
        assert direct.search(path.read_text()) is None, f"{path} gets round chassis/kafka.py"
