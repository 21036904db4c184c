"""Prefect's form of a custom run: every parameter described, with suggestions; the names of runs."""

from __future__ import annotations

from typing import Any

import pytest

from upcycle_news.api import open_app
from upcycle_news.i18n.messages import localized
from upcycle_news.models import IssueId
from upcycle_news.services.runs.form_parameters import DESCRIPTIONS, describe_parameters

from ..publications import Publication

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]


def schemas(flows: Any) -> dict[str, dict[str, Any]]:
    """Return the properties of each flow's form, as Prefect derives them."""
    from prefect.utilities.callables import parameter_schema

    return {flow.name: parameter_schema(flow).properties for flow in vars(flows).values()}


def test_every_parameter_of_every_flow_has_description_type_and_default(flows: Any) -> None:
    found = schemas(flows)
    assert {name for name, properties in found.items() if properties} == set(DESCRIPTIONS)
    for name, properties in found.items():
        assert list(properties) == list(DESCRIPTIONS.get(name, {}))
        for parameter, entry in properties.items():
            assert entry["description"] == str(DESCRIPTIONS[name][parameter])
            assert entry["type"] in ("string", "array", "boolean", "number", "integer")
            assert "default" in entry or name in ("deliver-issue", "notify")


def test_a_german_publication_describes_its_forms_in_german_with_suggestions(
    publication: Publication, flows: Any
) -> None:
    publication.write_essay("Was vom Bahnhof bleibt", topics="[bestand, kleinstadt]")
    publication.write_essay("Noch nicht fertig", topics="[geheim]", date="2124-05-02")
    consent = ("--consent", "letter of 3 May 2026", "--group", "redaktion")
    publication.run("subscribers", "add", "anna@example.org", *consent)
    properties = schemas(flows)["publish-issue"]
    described = describe_parameters(publication.context(), "publish-issue", properties)
    assert described["approve"]["description"].startswith("VORSICHT: verschickt sofort an alle")
    assert "bestand, geheim, kleinstadt" in described["topics"]["description"]
    assert described["test_group"]["examples"] == ["redaktion"]
    assert "was-vom-bahnhof-bleibt" in described["essays"]["description"]
    for name, entry in described.items():
        assert "enum" not in entry, "a suggestion is no closed list"
        assert entry["default"] == properties[name]["default"]
        assert str(DESCRIPTIONS["publish-issue"][name]) not in entry["description"]
    assert "@" not in str(described)


def test_a_form_without_anything_to_suggest_and_one_of_a_flow_of_ones_own(
    publication: Publication,
) -> None:
    context = publication.context()
    own = {"colour": {"type": "string", "title": "colour"}}
    assert describe_parameters(context, "my-flow", own) == own
    described = describe_parameters(context, "publish-issue", {"topics": {"type": "array"}})
    text = localized("parameter-topics").in_language("de")
    assert described == {"topics": {"type": "array", "description": text}}
    (publication.home / "content/essays/kaputt.md").write_text("---\ntitle: [\n---\n")
    assert describe_parameters(context, "publish-issue", {"topics": {}})["topics"]


def test_a_run_is_called_after_the_day_of_its_issue(publication: Publication, flows: Any) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    from prefect.client.orchestration import get_client

    state = flows.publish_issue(dry_run=True, return_state=True)
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(state.state_details.flow_run_id)
    with open_app() as app:
        issue = app.issues.latest()
    assert run.name == f"publish-{issue}"
    assert IssueId.parse(run.name.removeprefix("publish-")) == issue
