"""The compose file: valid, and of one mind with the code."""

from __future__ import annotations

import re
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
import yaml

from chassis.settings import Settings
from deploy import databases, secrets
from deploy.local import kafka
from deploy.local.docker import KAFKA_IMAGE, MONGODB_IMAGE
from tests.deployed import compose, compose_secrets, environment
from tests.unit.deploy.deployables import SERVICES, variables

SECRETS = compose_secrets()
COMPOSE = compose(SECRETS)
OURS = [name for name, service in COMPOSE["services"].items() if service["image"].startswith("dugnad:")]


def test_it_is_valid_by_the_compose_specification() -> None:
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        str(secrets.COMPOSE),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_runs_the_four_services_and_the_two_jobs_from_one_image() -> None:
    assert [*SERVICES, "topics", "databases"] == OURS
    assert len({COMPOSE["services"][name]["image"] for name in OURS}) == 1
    commands = [COMPOSE["services"][name]["command"] for name in OURS]
    assert commands == [*([f"services.{name}"] for name in SERVICES), ["chassis.topics"], ["deploy.databases"]]


def test_its_engines_are_those_of_the_tests_in_containers() -> None:
    images = {COMPOSE["services"][name]["image"] for name in ("kafka", "access")}
    assert images == {KAFKA_IMAGE} == {f"apache/kafka:{kafka.VERSION}"}
    assert COMPOSE["services"]["mongodb"]["image"] == MONGODB_IMAGE


@pytest.mark.parametrize("service", [*SERVICES, "topics"])
def test_every_variable_is_a_setting(service: str) -> None:
    assert environment(COMPOSE, service).keys() <= variables()


@pytest.mark.parametrize("service", SERVICES)
def test_the_settings_take_what_is_set(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(COMPOSE, service).items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.kafka_username == service
    published = {port.rpartition(":")[2] for port in COMPOSE["services"][service]["ports"]}
    assert published == {str(settings.port), str(settings.metrics_port)}
    own = urlsplit(getattr(settings, f"{service}_url"))
    assert (own.hostname, own.port) == (service, settings.port)
    probed = COMPOSE["services"][service]["healthcheck"]["test"][-1]
    assert f":{settings.port}/readyz" in probed


@pytest.mark.parametrize("service", SERVICES)
def test_traces_go_where_the_machine_says_and_else_nowhere(service: str) -> None:
    assert environment(COMPOSE, service)["OTEL_EXPORTER_OTLP_ENDPOINT"] == ""
    raw = yaml.safe_load(secrets.COMPOSE.read_text())["services"][service]["environment"]
    assert raw["OTEL_EXPORTER_OTLP_ENDPOINT"] == "${OTEL_EXPORTER_OTLP_ENDPOINT:-}"


def test_each_service_is_a_user_of_its_own_database_only() -> None:
    users = {}
    for service in SERVICES:
        for name, value in environment(COMPOSE, service).items():
            if name.endswith("MONGODB_URI"):
                users[service, name] = urlsplit(value).username
    assert list(users.values()) == ["intake", "keyring", "background", "matching", "followup", "reporting"]
    assert set(users.values()) == set(databases.USERS)
    job = environment(COMPOSE, "databases")
    for user, password in databases.passwords(job).items():
        assert password == SECRETS[f"MONGODB_PASSWORD_{user.upper()}"]


def test_the_broker_knows_each_user_and_refuses_what_is_not_allowed() -> None:
    broker = environment(COMPOSE, "kafka")
    known = dict(re.findall(r'user_(\w+)="(\w+)"', broker["KAFKA_LISTENER_NAME_CLIENTS_PLAIN_SASL_JAAS_CONFIG"]))
    for name in (*SERVICES, "topics"):
        own = environment(COMPOSE, name)
        assert known[own["DUGNAD_KAFKA_USERNAME"]] == own["DUGNAD_KAFKA_PASSWORD"]
    assert broker["KAFKA_ALLOW_EVERYONE_IF_NO_ACL_FOUND"] == "false"
    assert broker["KAFKA_SUPER_USERS"] == "User:admin"
    assert "PLAINTEXT://" not in broker["KAFKA_LISTENERS"]
    assert set(broker["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(",")) == {
        "CLIENTS:SASL_PLAINTEXT",
        "CONTROLLER:SASL_PLAINTEXT",
    }


@pytest.mark.parametrize("service", OURS)
def test_a_container_of_ours_is_locked_down(service: str) -> None:
    container = COMPOSE["services"][service]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]


def test_ports_are_open_to_this_machine_only() -> None:
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", ())]
    assert len(ports) == len(set(ports)) == 2 * len(SERVICES)
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_services_begin_after_the_jobs_and_the_jobs_after_the_engines() -> None:
    waits = {name: dict(service.get("depends_on", {})) for name, service in COMPOSE["services"].items()}
    for service in SERVICES:
        assert {name: each["condition"] for name, each in waits[service].items()} == {
            "topics": "service_completed_successfully",
            "databases": "service_completed_successfully",
        }
    assert waits["topics"] == {"access": {"condition": "service_completed_successfully"}}
    assert waits["access"] == {"kafka": {"condition": "service_healthy"}}
    assert waits["databases"] == {"mongodb": {"condition": "service_healthy"}}
    assert all(service.get("healthcheck") for service in COMPOSE["services"].values() if service["restart"] != "no")


def test_no_secret_stands_in_the_file() -> None:
    text = secrets.COMPOSE.read_text()
    raw = yaml.safe_load(text)
    for service in raw["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|_KEY|JAAS", name):
                assert "${" in value, name


def test_secrets_that_are_there_stay_and_what_is_missing_is_added() -> None:
    first = secrets.complete("SESSION_SECRET=mine\n")
    assert first.startswith("SESSION_SECRET=mine\n")
    assert secrets.complete(first) == first
    values = dict(line.split("=") for line in first.splitlines())
    assert values.keys() == set(secrets.wanted())
    assert len(set(values.values())) == len(values)
