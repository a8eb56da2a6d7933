"""The weights of the ranking: which parts a version scores, and with how many points.

Invariant: a version is complete and says where it comes from; a part that it leaves out is not scored and gives no
reason, so that an old version goes on giving what it gave.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

MOST_POINTS = 254
"""In all: scores are added up as bytes, and one more than the score must fit into one too."""
Points = Annotated[int, Field(ge=0, le=MOST_POINTS)]
"""Nothing is ever taken off."""


class Part(BaseModel):
    """What is scored together."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Nearness(Part):
    """Points by how near an occupation is."""

    same: Points
    same_group: Points
    related: Points
    same_field: Points
    other: Points


class ExperienceMonths(Part):
    full: Annotated[int, Field(ge=1, le=600)]


class LanguagePoints(Part):
    met: Points
    one_below: Points
    below: Points
    not_mapped: Points


class PlacePoints(Part):
    same_municipality: Points
    same_county: Points
    elsewhere: Points
    wished: Points | None = None
    """The candidate wishes to work there, wherever home is. None: wishes of place are not scored."""


class TravelPoints(Part):
    """Whether the longest journey that a candidate wants covers what the place is assumed to take, one way."""

    covers: Points
    unknown: Points
    short: Points
    same_municipality_minutes: int
    same_county_minutes: int
    elsewhere_minutes: int


class HoursPoints(Part):
    enough: Points
    nearly: Points
    fewer: Points
    nearly_percent: Annotated[int, Field(ge=1, le=100)]


class StartPoints(Part):
    in_time: Points
    within_promise: Points
    late: Points


class LicencePoints(Part):
    held: Points


class CertificatePoints(Part):
    held: Points


class Weights(Part):
    """One version of the weights, as in `rules/ranking-*.toml`."""

    version: str
    valid_from: date
    source: str
    wish: Nearness
    experience: Nearness
    qualification: Nearness
    experience_months: ExperienceMonths
    language: LanguagePoints
    place: PlacePoints
    travel: TravelPoints | None = None
    hours: HoursPoints
    start: StartPoints
    licence: LicencePoints
    certificate: CertificatePoints | None = None

    @property
    def most(self) -> int:
        """The highest score that there can be, for a need that asks for everything."""
        place, travel, hours = self.place, self.travel, self.hours
        return sum(
            (
                *(
                    max(part.model_dump().values())
                    for part in (self.wish, self.experience, self.qualification, self.start)
                ),
                4 * max(self.language.model_dump().values()),
                max(place.same_municipality, place.same_county, place.elsewhere, place.wished or 0),
                max(travel.covers, travel.unknown, travel.short) if travel else 0,
                max(hours.enough, hours.nearly, hours.fewer),
                self.licence.held,
                self.certificate.held if self.certificate else 0,
            )
        )

    @model_validator(mode="after")
    def _fits(self) -> Weights:
        if self.most > MOST_POINTS:
            raise ValueError(f"the points of a version come to {self.most} together, more than {MOST_POINTS}")
        return self
