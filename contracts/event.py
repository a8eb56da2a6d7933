"""What every event is made of.

Invariant: `data()` is the public part and nothing else; what is sealed or belongs to the envelope never gets into it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.json_schema import SkipJsonSchema

TYPE_PATTERN = re.compile(r"^dugnad\.(?P<name>[A-Z][A-Za-z]+)\.v(?P<version>[1-9][0-9]*)$")


class Value(BaseModel):
    """A frozen part of an event. Readers ignore fields that they do not know, since a writer may be newer."""

    # JSON has no NaN: it would be published as null, and every reader would stop at it.
    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True, allow_inf_nan=False)


class Event(Value):
    """One fact, named in the past tense.

    The model's own fields are the public part (`data`, the record's value). Two attributes are not in it:

    - `sealed`: facts about a person that stay in the log of the service that wrote them, encrypted under that person's
      key; None where there are none, or where they have been erased.
    - `occurred`: when it happened (UTC, milliseconds; CloudEvents `time`). None means: when the command was decided.
    """

    VERSION: ClassVar[int] = 1
    SUBJECT: ClassVar[str]
    """What the event is about, as a template over the fields: `need:{need_id}`. Events of one subject stay in order."""
    PARTITION_KEY: ClassVar[str]
    """The case: the need's id, else the candidate's, else the employer's. A subject never changes it."""
    PERSON: ClassVar[str | None] = None
    """The field that holds the candidate whose key seals `sealed`; None for events that never have a sealed part."""

    sealed: SkipJsonSchema[Mapping[str, JsonValue] | None] = Field(default=None, exclude=True, repr=False)
    occurred: SkipJsonSchema[datetime | None] = Field(default=None, exclude=True, repr=False)

    @classmethod
    def type_name(cls) -> str:
        """CloudEvents `type`, for example `dugnad.NeedRegistered.v1`."""
        return f"dugnad.{cls.__name__}.v{cls.VERSION}"

    @property
    def subject(self) -> str:
        """CloudEvents `subject`."""
        return self.SUBJECT.format_map(self.__dict__)

    @property
    def partition_key(self) -> str:
        """CloudEvents `partitionkey`, also the key of the Kafka record."""
        return self.PARTITION_KEY.format_map(self.__dict__)

    @property
    def person(self) -> str | None:
        """The candidate whose key seals this event's sealed part."""
        return None if self.PERSON is None else str(self.__dict__[self.PERSON])

    def data(self) -> dict[str, Any]:
        """The public part as plain JSON values (dates and instants as ISO 8601 text)."""
        return self.model_dump(mode="json")

    @classmethod
    def from_data(
        cls, data: Mapping[str, Any], *, occurred: datetime, sealed: Mapping[str, JsonValue] | None = None
    ) -> Self:
        """The event again from its public part, the envelope's time and, in its own service, the opened sealed part."""
        return cls.model_validate({**data, "occurred": occurred, "sealed": sealed})
