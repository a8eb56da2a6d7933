"""The verbs of `dugnad` and their arguments.

Invariant: nothing but the standard library is imported to read them; a verb is added here and in `running.py` only.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

SERVICES = ("intake", "matching", "followup", "reporting")
WRITING = SERVICES[:3]
_ABOUT = "See, prove and repair what the services of Dugnad have folded."
_ENVIRONMENT = """
environment:
  The commands take the variables of a service (KAFKA_BOOTSTRAP_SERVERS, MONGODB_URI, DUGNAD_...). Where
  KAFKA_BOOTSTRAP_SERVERS is unset they take those of a `make run` or `make engines` in this folder, which keeps them in
  .cache/run/environment while it runs. `status` and `log head` ask the services at DUGNAD_<SERVICE>_URL with the token
  in DUGNAD_TOKEN (scope operate); in development they get one by themselves.

exit codes:
  0 fine, 1 a fault was found, 2 wrong usage or not confirmed with --yes, 3 a dependency is down (130: Ctrl-C)
"""


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The options, with `verb` and, where there is one, `action`. Ends the process with 2 for what is unknown."""
    parser: argparse.ArgumentParser = _Parser(
        prog="dugnad", description=_ABOUT, epilog=_ENVIRONMENT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    _verb(verbs, "status", "where every projection stands: positions, lag, gaps, parked events, last error")

    verify = _verb(verbs, "verify", "fold everything anew and compare with what is served, document by document")
    verify.add_argument("target", metavar="SERVICE[/PROJECTION]")

    _parked(verbs)

    rebuild = _verb(verbs, "rebuild", "fold everything into a new generation, and serve it when it is complete")
    _projection(rebuild)
    rebuild.add_argument("--as-of", metavar="T", help="what had been recorded by this instant; is kept, not served")
    rebuild.add_argument(
        "--until",
        metavar="[SOURCE=]POSITION",
        action="append",
        help="as far as this position, for each source (intake=43, or 43 where it reads only one); is kept, not served",
    )
    rebuild.add_argument("--dry-run", action="store_true", help="only say what would be done")
    rebuild.add_argument("--force", action="store_true", help="although events are parked, or topics have lost records")
    rebuild.add_argument(
        "--workers",
        metavar="N",
        type=_workers,
        help="processes that fold at the same time, each its own partitions; without, up to one per core",
    )

    rollback = _verb(verbs, "rollback", "serve the previous generation again")
    _projection(rollback)
    _confirmed(rollback)

    generations = _verb(verbs, "generations", "the generations that are kept")
    _projection(generations)
    generations.add_argument("--drop", metavar="N", type=int, help="remove one that is not served")
    _confirmed(generations)

    republish = _verb(verbs, "republish", "delete the topics of a service and fill them again from its logs")
    republish.add_argument("service", choices=WRITING)
    _confirmed(republish)

    going_on = _verb(verbs, "continue", "go on with the logs of a service whose database was restored from a backup")
    going_on.add_argument("service", choices=WRITING)
    _confirmed(going_on)

    rewind = _verb(verbs, "rewind", "let the reactions of a stopped service begin again with what was sent since then")
    rewind.add_argument("service", choices=WRITING)
    rewind.add_argument("--since", metavar="T", required=True, help="an instant; a little too early does no harm")
    _confirmed(rewind)

    _release(verbs)
    export = _verb(verbs, "export", "facts and published tables as Parquet files, with a dictionary of their columns")
    export.add_argument("folder", metavar="FOLDER", help="a new or empty folder")
    export.add_argument("--only", choices=("facts", "published"), help="one of the two")

    logs = verbs.add_parser("log", help="the logs of a service: how far they go, what they have lost")
    of_log = logs.add_subparsers(dest="action", required=True, metavar="ACTION")
    head = _verb(of_log, "head", "the last position of each log of a service")
    head.add_argument("service", choices=SERVICES)
    head.add_argument("--at", metavar="T", help="the last one recorded by this instant, at least a minute ago")
    lost = _verb(of_log, "lost", "events that a restored database knows nothing of: only the topic has them")
    lost.add_argument("service", choices=WRITING)
    return parser.parse_args(argv)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as every other error of the commands is said."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"dugnad: {message} (`{self.prog} --help` says how)\n")


def _workers(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text} is no number of processes: give 1 or more")
    return int(text)


def _parked(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parked = verbs.add_parser("parked", help="events that could not be handled, and those that wait behind them")
    actions = parked.add_subparsers(dest="action", required=True, metavar="ACTION")
    consumer = "SERVICE/PROJECTION, or SERVICE/reactions"
    for name, about in (
        ("list", "what is parked, the oldest first"),
        ("show", "one event, or all of a subject, with contents"),
        ("replay", "hand the events of a subject, or one event, to the running service again, in order"),
        ("discard", "let the events of a subject, or one event, go for good"),
    ):
        action = _verb(actions, name, about)
        action.add_argument("consumer", metavar="SERVICE/PROJECTION", help=consumer)
        if name == "show":
            action.add_argument("what", metavar="SUBJECT|ID")
        if name in ("replay", "discard"):
            action.add_argument("what", metavar="SUBJECT|ID", help="as `parked list` shows it, in quotes")
            action.add_argument("--reason", required=name == "discard", help="kept in the audit")
        if name == "discard":
            _confirmed(action)
        action.add_argument("--generation", metavar="N", type=int, help="of a generation that is not served")


def _release(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    releases = verbs.add_parser("release", help="published tables: due, sealed, shown to everybody, made again")
    actions = releases.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, about in (
        ("plan", "what is due by the schedule, and in which release"),
        ("seal", "make the oldest release that is due and seal it; nobody sees it yet"),
        ("publish", "show a sealed release to everybody, for ever"),
        ("list", "what has been sealed, and when it was published"),
        ("reproduce", "make a sealed release again and compare it byte for byte; it is never published"),
    ):
        action = _verb(actions, name, about)
        if name in ("plan", "seal"):
            action.add_argument("--at", metavar="T", help="what had become due by this instant")
        if name == "seal":
            action.add_argument("release", metavar="RELEASE", nargs="?", help="as `release plan` shows it")
            action.add_argument("--again", action="store_true", help="beside one that is sealed and not published")
        if name in ("publish", "reproduce"):
            action.add_argument("release", metavar="RELEASE", help="as `release list` shows it")
        if name == "publish":
            _confirmed(action)


def _verb(verbs: argparse._SubParsersAction[argparse.ArgumentParser], name: str, about: str) -> argparse.ArgumentParser:
    verb = verbs.add_parser(name, help=about, description=about.capitalize() + ".")
    verb.add_argument("--json", action="store_true", help="one JSON document on standard output")
    return verb


def _projection(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("projection", metavar="SERVICE/PROJECTION")


def _confirmed(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--yes", action="store_true", help="do it; without, only the plan is shown")
