"""Every issue ends with its report, its archive link and a full bar, whoever closed it."""

from __future__ import annotations

from typing import Any

import pytest

from upcycle_news.api import open_app

from ..publications import Publication

pytestmark = [pytest.mark.prefect, pytest.mark.xdist_group("prefect")]


def artifacts(issue: str) -> dict[str, list[Any]]:
    """Return the data of an issue's artifacts by the last word of their key."""
    from prefect.client.orchestration import get_client

    found: dict[str, list[Any]] = {}
    with get_client(sync_client=True) as client:
        for artifact in client.read_artifacts():
            prefix = f"issue-{issue}-"
            if artifact.key and artifact.key.startswith(prefix):
                found.setdefault(artifact.key.removeprefix(prefix), []).append(artifact.data)
    return found


def test_an_issue_that_a_command_closed_after_a_run_died_is_reported_by_watch(
    publication: Publication, flows: Any
) -> None:
    from prefect.artifacts import create_progress_artifact

    publication.write_essay()
    publication.add_many_subscribers(2)
    issue = publication.run("issue", "send", "--yes", "--json").json["issue"]
    # Issues of tests of the same day share a server: another day's bars are not touched.
    other = create_progress_artifact(25.0, key="issue-2020-01-01-progress")
    create_progress_artifact(25.0, key=f"issue-{issue}-progress")
    assert 25.0 in artifacts(issue)["progress"]
    with open_app() as app:
        assert app.runs.unreported_issues() == [issue]
    flows.watch()
    found = artifacts(issue)
    assert set(found["progress"]) == {100.0}
    assert any(issue in text for text in found["report"])
    assert all("(https://umbaupost.example.net/report/" in text for text in found["report"])
    assert any(f"/archive/{issue}" in link for link in found["archive"])
    assert artifacts("2020-01-01") == {"progress": [25.0]}
    assert other
    with open_app() as app:
        assert app.runs.unreported_issues() == []
    reports = len(found["report"])
    flows.watch()
    assert len(artifacts(issue)["report"]) == reports


def test_an_issue_that_deliver_pending_closes_gets_all_three(
    publication: Publication, flows: Any
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    publication.run("issue", "preview", "--no-open")
    publication.run("issue", "approve")
    flows.deliver_pending()
    with open_app() as app:
        issue = app.issues.status(None).issue
        assert app.runs.unreported_issues() == []
    found = artifacts(str(issue))
    assert {"report", "archive", "progress"} <= set(found)
    assert set(found["progress"]) == {100.0}


@pytest.mark.parametrize("closer", ["publish-issue", "deliver-issue"])
def test_an_issue_that_the_flow_or_a_further_sender_closes_gets_all_three(
    publication: Publication, flows: Any, closer: str
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    if closer == "publish-issue":
        flows.publish_issue(approve=True)
    else:
        issue = publication.run("issue", "preview", "--no-open", "--json").json["issue"]
        publication.run("issue", "approve")
        with open_app() as app:  # as a run that died before it delivered
            app.runs.pending()
        flows.deliver_issue(issue)
    with open_app() as app:
        issue = str(app.issues.status(None).issue)
        assert app.runs.unreported_issues() == []
    found = artifacts(issue)
    assert set(found["progress"]) == {100.0}
    assert any(issue in text for text in found["report"])
    assert any(f"/archive/{issue}" in link for link in found["archive"])
