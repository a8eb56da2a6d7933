"""Who a process is at the engines, from its settings."""

from __future__ import annotations

import ssl

import certifi
import pytest
from faststream.kafka.security import parse_security
from pydantic import ValidationError

from chassis.consumer import security
from chassis.kafka import client_options
from chassis.settings import Settings

USER = {"kafka_username": "matching", "kafka_password": "secret"}
CASES: list[dict[str, object]] = [
    {},
    {"kafka_tls": True},
    {**USER, "kafka_mechanism": "PLAIN"},
    {**USER, "kafka_tls": True, "kafka_ca_file": certifi.where()},
]


def made(**given: object) -> Settings:
    engines = {"kafka_bootstrap_servers": "broker:9092", "mongodb_uri": "mongodb://one"}
    return Settings.model_validate({"environment": "development", **engines, **given})


@pytest.mark.parametrize("given", CASES, ids=["open", "encrypted", "user", "both"])
def test_both_client_libraries_say_the_same_to_the_broker(given: dict[str, object]) -> None:
    settings = made(**given)
    ours, theirs = client_options(settings), parse_security(security(settings))
    assert ours.pop("bootstrap_servers") == "broker:9092"
    for contexts in (ours, theirs):
        context = contexts.pop("ssl_context", None)
        assert isinstance(context, ssl.SSLContext) == bool(given.get("kafka_tls"))
        if isinstance(context, ssl.SSLContext):
            assert context.verify_mode is ssl.CERT_REQUIRED
            assert context.check_hostname
    assert ours == theirs


def test_in_production_a_user_is_checked_by_scram_over_tls() -> None:
    options = client_options(made(**USER, kafka_tls=True))
    assert options["security_protocol"] == "SASL_SSL"
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert options["sasl_plain_username"] == "matching"
    assert options["sasl_plain_password"] == "secret"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kafka_username": "matching"}, "DUGNAD_KAFKA_PASSWORD"),
        ({"kafka_password": "secret"}, "DUGNAD_KAFKA_USERNAME"),
        ({"kafka_ca_file": "/ca.pem"}, "DUGNAD_KAFKA_TLS"),
    ],
)
def test_half_a_configuration_is_refused_with_what_to_set(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        made(**given)


def test_keyring_and_background_facts_have_users_of_their_own_where_they_are_named() -> None:
    settings = made(keyring_mongodb_uri="mongodb://two", background_mongodb_uri="mongodb://three")
    names = ("intake", "keyring", "background", "matching")
    assert [settings.uri(name) for name in names] == [
        "mongodb://one",
        "mongodb://two",
        "mongodb://three",
        "mongodb://one",
    ]
    assert {made().uri(name) for name in names} == {"mongodb://one"}


def test_no_password_is_shown_with_the_settings_or_what_is_wrong_with_them() -> None:
    password = "hunter2"
    uri = f"mongodb://keyring:{password}@one"
    assert password not in repr(made(kafka_username="me", kafka_password=password, keyring_mongodb_uri=uri))
    with pytest.raises(ValidationError) as wrong:
        made(kafka_password=password, mongodb_uri=uri)
    assert password not in str(wrong.value)
