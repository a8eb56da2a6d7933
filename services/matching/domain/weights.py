"""The weights of the ranking: which parts a version scores, and with how many points.

Invariant: a version is complete and says where it comes from; a part that it leaves out is not scored and gives no
reason, so that an old version goes on giving what it gave.
"""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """What is scored together."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Nearness(Part):
    """Points by how near an occupation is."""

    same: int
    same_group: int
    related: int
    same_field: int
    other: int


class ExperienceMonths(Part):
    full: int


class LanguagePoints(Part):
    met: int
    one_below: int
    below: int
    not_mapped: int


class PlacePoints(Part):
    same_municipality: int
    same_county: int
    elsewhere: int
    wished: int | None = None
    """The candidate wishes to work there, wherever home is. None: wishes of place are not scored."""


class TravelPoints(Part):
    """Whether the longest journey that a candidate wants covers what the place is assumed to take, one way."""

    covers: int
    unknown: int
    short: int
    same_municipality_minutes: int
    same_county_minutes: int
    elsewhere_minutes: int


class HoursPoints(Part):
    enough: int
    nearly: int
    fewer: int
    nearly_percent: int


class StartPoints(Part):
    in_time: int
    within_promise: int
    late: int


class LicencePoints(Part):
    held: int


class CertificatePoints(Part):
    held: int


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
