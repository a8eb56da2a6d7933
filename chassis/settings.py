"""Settings of one process, from the environment.

Invariant: wrong configuration fails here, at construction, and the message says what to set.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Everything a service needs to know of its surroundings. Environment variables begin with `DUGNAD_`."""

    # Errors hide what was given: they go to the log, and passwords are among it.
    model_config = SettingsConfigDict(
        env_prefix="DUGNAD_", extra="ignore", frozen=True, populate_by_name=True, hide_input_in_errors=True
    )

    environment: Literal["development", "production"] = "production"
    kafka_bootstrap_servers: str = Field(
        validation_alias=AliasChoices("KAFKA_BOOTSTRAP_SERVERS", "kafka_bootstrap_servers")
    )
    mongodb_uri: str = Field(validation_alias=AliasChoices("MONGODB_URI", "mongodb_uri"))
    keyring_mongodb_uri: SecretStr | None = None
    """The keyring's own user, which sees no other database; unset: that of MONGODB_URI."""
    background_mongodb_uri: SecretStr | None = None
    """The own user of the log of background facts; unset: that of MONGODB_URI."""
    kafka_tls: bool = False
    kafka_ca_file: str | None = None
    """Whom to believe that it is the broker; unset: the authorities of the machine."""
    kafka_mechanism: Literal["PLAIN", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_username: str | None = None
    kafka_password: SecretStr | None = None
    prefix: str = ""
    """Put before the names of databases, topics and consumer groups, so that several systems share one engine."""
    partitions: int = 6
    """Of every topic, the same for all, never changed: partition p of all topics holds whole cases."""
    replication_factor: int = 1
    engine_timeout_seconds: float = 10.0
    """How long a call to an engine may take before it counts as unreachable."""

    host: str = "127.0.0.1"
    port: int = 0
    metrics_port: int = 0

    intake_url: str = "http://127.0.0.1:8101"
    matching_url: str = "http://127.0.0.1:8102"
    followup_url: str = "http://127.0.0.1:8103"
    reporting_url: str = "http://127.0.0.1:8104"

    tables_url: str | None = None
    """The address under which analysts reach reporting, for links in its answers; unset: `reporting_url`."""
    tables_max_cells: int = Field(default=100_000, ge=1)
    """How many numbers one answer of the tables' API may hold."""
    tables_calls: int = Field(default=30, ge=1)
    """How many calls of the tables' API one client may make within `tables_window_seconds`."""
    tables_window_seconds: int = Field(default=10, ge=1)

    dev_issuer_key: SecretStr | None = None
    """Development only: the seed of the key that signs the tokens of the personas."""
    issuer: str = "https://issuer.dugnad.example"
    audience: str = "dugnad"
    jwks_url: str | None = None
    token_url: str | None = None
    client_id: str | None = None
    client_secret: SecretStr | None = None
    session_secret: SecretStr | None = None
    schema_base_url: str = "https://dugnad.example/schemas/"
    synthetic_org_numbers: bool = False
    """Accept synthetic organisation numbers (beginning with 2 or 3)."""

    @model_validator(mode="after")
    def _development_things_stay_in_development(self) -> Self:
        if self.environment == "production":
            if self.dev_issuer_key is not None:
                raise ValueError("DUGNAD_DEV_ISSUER_KEY is set in production: unset it, or set DUGNAD_JWKS_URL instead")
            if self.jwks_url is None:
                raise ValueError("DUGNAD_JWKS_URL is missing: set it to the keys of your token issuer")
        return self

    @model_validator(mode="after")
    def _a_user_has_a_password(self) -> Self:
        if (self.kafka_username is None) != (self.kafka_password is None):
            raise ValueError("set both DUGNAD_KAFKA_USERNAME and DUGNAD_KAFKA_PASSWORD, or none of them")
        if self.kafka_ca_file is not None and not self.kafka_tls:
            raise ValueError("DUGNAD_KAFKA_CA_FILE is set without DUGNAD_KAFKA_TLS: nothing would be encrypted")
        return self

    def uri(self, name: str) -> str:
        """Where a database is, and as which user: keyring and background facts may have users of their own."""
        own = {"keyring": self.keyring_mongodb_uri, "background": self.background_mongodb_uri}.get(name)
        return self.mongodb_uri if own is None else own.get_secret_value()

    def database(self, name: str) -> str:
        """The name of a database; each log, view store and keyring has one of its own."""
        return f"{self.prefix}dugnad_{name}"

    def topic(self, name: str) -> str:
        """The name on the broker of a topic of the contracts."""
        return f"{self.prefix}{name}"

    def group(self, service: str, name: str) -> str:
        """The consumer group of one projection or reaction group."""
        return f"{self.prefix}dugnad.{service}.{name}"
