"""Puts followup together: the only place that knows its concrete parts."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from fastapi import FastAPI

from chassis.auth import ServiceTokens
from chassis.employers import EmployerNames, IntakeEmployers
from chassis.keyring import Keyring, RemoteKeyring
from chassis.pages import Link, Pages
from chassis.service import Service
from chassis.settings import Settings
from chassis.texts import Texts
from chassis.web import create_app as create_web_app
from contracts.followup import SOURCE, TOPIC, FollowupEvent
from services.followup import pages, planpages, reactions, timing, views, voicepage
from services.followup.api import aftermath, agreements, cases, changes, slots, trials
from services.followup.core import Followup
from services.followup.counsellors import Counsellors
from services.followup.intake import IntakePersons, Persons

HERE = Path(__file__).parent


def create_followup(
    settings: Settings,
    keyring: Keyring | None = None,
    persons: Persons | None = None,
    employers: EmployerNames | None = None,
) -> Followup:
    """The service without its web app; nothing connects yet. Keys, names and eligibility come from intake."""
    tokens = ServiceTokens(settings, "followup")
    service = Service("followup", settings)
    log = service.log(SOURCE, TOPIC, get_args(FollowupEvent), keyring or RemoteKeyring(settings.intake_url, tokens))
    for projection in views.PROJECTIONS:
        service.add_projection(projection)
    service.add_timers(log, *timing.TIMED)
    for reaction in reactions.REACTIONS:
        service.add_reaction(log, reaction)
    counsellors = Counsellors(service.database("followup"))
    persons = persons or IntakePersons(settings.intake_url, tokens)
    return Followup(service, log, persons, employers or IntakeEmployers(settings.intake_url, tokens), counsellors)


def create_app(
    settings: Settings,
    keyring: Keyring | None = None,
    persons: Persons | None = None,
    employers: EmployerNames | None = None,
) -> FastAPI:
    """Followup's web app; its lifespan starts and stops the service."""
    followup = create_followup(settings, keyring, persons, employers)
    texts = Texts(HERE / "texts")
    return create_web_app(
        followup.service,
        routers=[
            cases.router(followup, pages.case_page(followup)),
            agreements.router(followup),
            trials.router(followup),
            changes.router(followup),
            aftermath.router(followup, texts),
            slots.router(followup, planpages.slot_page(followup)),
            planpages.router(followup),
            voicepage.router(followup),
            pages.router(followup),
        ],
        texts=texts,
        title="Dugnad: followup",
        description="Agreements, confirmed starts, check-ins, extensions and outcomes of confirmed matches.",
        pages=Pages(texts, HERE / "templates", menu=[Link("/", "worklist.title"), Link("/clock", "clock.title")]),
    )
