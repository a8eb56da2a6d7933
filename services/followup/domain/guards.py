"""What several decisions check alike.

Invariant: whoever decides for money has approved nothing before; nothing is decided on what a person may not have.
"""

from __future__ import annotations

from contracts.refused import Refused
from contracts.vocabulary import Party
from services.followup.domain.commands import Eligibility
from services.followup.domain.state import Agreement, Case, Person, Stage
from services.followup.domain.trialstate import Trial

NOT_IN = {
    Stage.DRAFTED: "not_concluded",
    Stage.CONCLUDED: "already_concluded",
    Stage.STARTED: "already_started",
    Stage.NO_SHOW: "no_show_reported",
    Stage.ANNULLED: "agreement_annulled",
    Stage.EXPIRED: "agreement_expired",
    Stage.CLOSED: "trial_closed",
}


def found_agreement(person: Person, agreement_id: str) -> tuple[Case, Agreement]:
    """The agreement with its case; refused where the person has no such agreement."""
    if (found := person.agreement(agreement_id)) is None:
        raise Refused("agreement_unknown", status=404)
    return found


def found_trial(person: Person, trial_id: str) -> tuple[Case, Agreement, Trial]:
    """The trial with agreement and case, as long as it is not closed: after that there is nothing but reading."""
    if (found := person.trial(trial_id)) is None:
        raise Refused("trial_unknown", status=404)
    must_be(found[1], Stage.STARTED)
    return found


def must_be(agreement: Agreement, *stages: Stage) -> None:
    """Refused where the agreement stands elsewhere; the code says where it stands."""
    if agreement.stage not in stages:
        raise Refused(NOT_IN[agreement.stage])


def found_closed(person: Person, trial_id: str) -> tuple[Case, Agreement, Trial]:
    """The trial with agreement and case, once it is closed."""
    if (found := person.trial(trial_id)) is None:
        raise Refused("trial_unknown", status=404)
    if found[1].stage != Stage.CLOSED:
        raise Refused("trial_not_closed")
    return found


def found_begun(person: Person, trial_id: str) -> tuple[Case, Agreement, Trial]:
    """The trial with agreement and case, whether it runs or is closed."""
    if (found := person.trial(trial_id)) is None:
        raise Refused("trial_unknown", status=404)
    must_be(found[1], Stage.STARTED, Stage.CLOSED)
    return found


def only(acting: Party, *parties: Party) -> None:
    """Refused for everybody else."""
    if acting not in parties:
        raise Refused("not_yours_to_say")


def must_be_eligible(eligibility: Eligibility) -> None:
    """Refused where intake answered no to anything. The names of the answers are in the commit, not in the refusal."""
    if not all(eligibility.answers.values()):
        raise Refused("not_eligible", ["/measure"], status=422)


def four_eyes(agreement: Agreement, actor: str) -> None:
    """Refused where this person has approved for anybody else, or where nobody can tell who did."""
    approvers = [approval.approved_by for approval in agreement.approvals if approval.party != Party.DECISION_MAKER]
    if None in approvers:
        raise Refused("approver_unknown")
    if actor in approvers:
        raise Refused("same_person")
