"""Alerts: readable by Prometheus, about counters that exist, and each with a runbook whose commands exist."""

from __future__ import annotations

import importlib.util
import re
from typing import Any

import promql_parser
import pytest
import yaml

from chassis.metrics import REGISTRY
from deploy.local.places import ROOT
from tests.deployed import DEPLOY, manifests
from tests.unit.deploy.deployables import SERVICES

FILES = sorted((DEPLOY / "alerts").glob("*.yaml"))
RULES: list[dict[str, Any]] = [
    rule for path in FILES for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]
]
RUNBOOKS = ROOT / "docs" / "runbooks"
OF_PROMETHEUS = {"up"}
ADDED = {"instance", "job", "le"}
_LINK = re.compile(r"\]\((?P<target>[^)]+\.md)\)")
_BLOCK = re.compile(r"^ *```sh\n(?P<lines>.*?)^ *```$", re.MULTILINE | re.DOTALL)
_METRIC = re.compile(r"`(?P<name>dugnad_[a-z_]+)")


def counters() -> dict[str, set[str]]:
    """Names as Prometheus stores them, with their labels."""
    found = {}
    for collector in REGISTRY._collector_to_names:
        labels = set(getattr(collector, "_labelnames", ()))
        for name in REGISTRY._collector_to_names[collector]:
            found[name] = labels
    return found


COUNTERS = counters()


def parts(rule: dict[str, Any]) -> list[promql_parser.Expr]:
    found: list[promql_parser.Expr] = []

    def visit(expression: promql_parser.Expr) -> bool:
        found.append(expression)
        if isinstance(expression, promql_parser.MatrixSelector):
            found.append(expression.vector_selector)
        return True

    promql_parser.walk(promql_parser.parse(rule["expr"]), pre_visit=visit)
    return found


def each_rule() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])


@each_rule()
def test_every_counter_and_label_of_an_alert_exists(rule: dict[str, Any]) -> None:
    selectors = [part for part in parts(rule) if isinstance(part, promql_parser.VectorSelector)]
    assert selectors
    labels = set(ADDED)
    for selector in selectors:
        assert selector.name in COUNTERS.keys() | OF_PROMETHEUS
        own = COUNTERS.get(selector.name, set()) | ADDED
        assert {matcher.name for matcher in selector.matchers.matchers} <= own
        labels |= own
    for part in parts(rule):
        if isinstance(part, promql_parser.AggregateExpr) and part.modifier is not None:
            assert set(part.modifier.labels) <= labels
    shown = re.findall(r"\$labels\.(\w+)", str(rule["annotations"]))
    assert set(shown) <= labels


@each_rule()
def test_an_alert_says_what_is_the_case_what_follows_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"Dugnad([A-Z][a-z]+)+", rule["alert"])
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"].keys() == {"summary", "consequence", "action", "runbook"}
    assert all(len(text) < 160 for text in rule["annotations"].values())


@each_rule()
def test_an_alert_has_its_runbook_and_the_runbook_its_alert(rule: dict[str, Any]) -> None:
    name = re.sub(r"(?<!^)(?=[A-Z])", "-", rule["alert"].removeprefix("Dugnad")).lower()
    assert rule["annotations"]["runbook"] == f"docs/runbooks/{name}.md"
    text = (RUNBOOKS / f"{name}.md").read_text()
    assert rule["alert"] in text
    assert all(f"**{part}**" in text for part in ("Alert", "Over"))
    assert f"| {rule['alert']} | [{name}]({name}.md) |" in (RUNBOOKS / "README.md").read_text()


def test_no_alert_is_said_twice() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("path", sorted(RUNBOOKS.glob("*.md")), ids=lambda path: path.stem)
def test_a_runbook_names_only_what_exists(path: Any) -> None:
    text = path.read_text()
    for link in _LINK.finditer(text):
        assert (path.parent / link["target"]).exists(), link["target"]
    for name in _METRIC.findall(text):
        known = {*COUNTERS, *(counter.removesuffix("_bucket") for counter in COUNTERS)}
        assert name in known, name
    objects = {f"deploy/{each['metadata']['name']}" for each in manifests(DEPLOY / "kubernetes")}
    for block in _BLOCK.finditer(text):
        for command in block["lines"].split("\n"):
            words = command.split()
            if words[:1] == ["python"]:
                assert words[1] == "-m"
                assert importlib.util.find_spec(words[2]) is not None, command
            if words[:1] == ["kubectl"]:
                assert words[1:3] == ["-n", "dugnad"]
                assert {word for word in words if word.startswith("deploy/")} <= objects
            for port in re.findall(r"127\.0\.0\.1:(\d+)", command):
                assert port in {"8080", "9090", *(str(8101 + place) for place in range(len(SERVICES)))}
