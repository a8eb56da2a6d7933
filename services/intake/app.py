"""Puts intake together: the only place that knows its concrete parts.

Invariant: background facts go to a log, a topic and a database of their own, so that no reader of intake meets them.
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from fastapi import FastAPI

from chassis.audit import Audit, audit_router
from chassis.keyring import OwnKeyring
from chassis.keyroutes import keyring_router
from chassis.pages import Pages
from chassis.service import Service
from chassis.settings import Settings
from chassis.texts import Texts
from chassis.web import create_app as create_web_app
from contracts.intake import BACKGROUND_SOURCE, BACKGROUND_TOPIC, SOURCE, TOPIC, BackgroundEvent, IntakeEvent
from services.intake import counsellor, endingpages, pages, views, workforcepage
from services.intake.api import background, candidates, employers, lists, needs, persons, workforce
from services.intake.core import Intake
from services.intake.employernames import ListedEmployers
from services.intake.expiry import Expiry
from services.intake.personindex import PersonIndex, index_key
from services.intake.reactions import Erasure
from services.intake.registry import FileRegister, HttpRegister, Register

HERE = Path(__file__).parent


def create_intake(settings: Settings) -> Intake:
    """The service without its web app; nothing connects yet."""
    service = Service("intake", settings)
    keyring = OwnKeyring(service.database("keyring"))
    log = service.log(SOURCE, TOPIC, get_args(IntakeEvent), keyring)
    background_log = service.log(BACKGROUND_SOURCE, BACKGROUND_TOPIC, get_args(BackgroundEvent), keyring)
    for projection in views.PROJECTIONS:
        service.add_projection(projection)
    index = PersonIndex(service.database("keyring"), index_key(settings))
    audit = Audit(service.database("intake"), "intake")
    erasure = Erasure(keyring, index)
    for call_out in erasure.call_outs():
        service.add_reaction(log, call_out)
    register = _register(settings)
    listed = ListedEmployers(register)
    intake = Intake(service, log, background_log, keyring, index, register, audit, erasure, listed)
    service.prepare_with(index.prepare)
    service.prepare_with(audit.prepare)
    service.prepare_with(lambda: erasure.replay(service.view("erased")))
    service.run_beside(Expiry(intake).run)
    return intake


def _register(settings: Settings) -> Register:
    if settings.unit_register_url is not None:
        return HttpRegister(settings.unit_register_url)
    return FileRegister(None if settings.unit_register_file is None else Path(settings.unit_register_file))


def create_app(settings: Settings) -> FastAPI:
    """Intake's web app; its lifespan starts and stops the service."""
    intake = create_intake(settings)
    texts = Texts(HERE / "texts")
    return create_web_app(
        intake.service,
        routers=[
            needs.router(intake),
            candidates.router(intake),
            candidates.changes(intake),
            candidates.endings(intake),
            background.router(intake),
            persons.router(intake),
            keyring_router(intake.keyring, intake.audit),
            workforce.router(intake),
            employers.router(intake),
            lists.router(),
            audit_router(intake.audit),
            pages.router(intake),
            endingpages.router(intake),
            counsellor.router(intake),
            workforcepage.router(intake),
        ],
        texts=texts,
        title="Dugnad: intake",
        description="Needs of employers, candidates, consent, background and workforce figures.",
        pages=Pages(texts, HERE / "templates"),
    )
