"""Issues through the app, as a program of one's own uses them."""

from __future__ import annotations

import pytest

from upcycle_news.api import App, open_app
from upcycle_news.errors import AddressError, IssueError, NothingNew
from upcycle_news.models import DeliveryState, IssueId

from ..publications import Publication, parse_mail

ISSUE = IssueId.parse("2026-11-26")


@pytest.fixture
def app(publication: Publication) -> App:
    publication.write_essay()
    publication.add_many_subscribers(2)
    return App(publication.context())


def test_an_issue_goes_from_preview_to_closed(publication: Publication, app: App) -> None:
    assert app.issues.latest() is None
    assert app.issues.default_id() == ISSUE
    preview = app.issues.preview()
    assert preview.issue == app.issues.latest() == ISSUE
    assert preview.findings == app.issues.check() == ()
    assert preview.files["preview"].is_file()
    decision = app.issues.approve(by="Anna")
    assert (decision.approved, decision.revision_id) == (True, preview.revision.revision_id)
    result = app.issues.send()
    assert result.status.closed
    assert app.issues.status() == app.issues.status("2026-11-26") == result.status
    assert app.issues.standstill() is None
    assert [delivery.state for delivery in app.issues.deliveries(state=DeliveryState.SENT)] == [
        DeliveryState.SENT
    ] * 2
    assert str(app.issues.default_id()) == "2026-11-26-2"
    with pytest.raises(NothingNew):
        app.issues.preview()


def test_a_dry_run_counts_and_sends_nothing(publication: Publication, app: App) -> None:
    assert (app.issues.dry_run().recipients, app.issues.dry_run().begun) == (2, False)
    app.issues.send(by="Anna", approve=True)
    assert app.issues.dry_run("2026-11-26").recipients == 0
    assert app.issues.dry_run("2026-11-26").begun
    assert len(publication.mails()) == 2


def test_a_test_mail_goes_to_one_address(publication: Publication, app: App) -> None:
    assert app.issues.send_test(to="chefin@example.net").accepted == 1
    with pytest.raises(AddressError):
        app.issues.send_test(to="no address")
    with pytest.raises(IssueError, match="nobody is in the test group"):
        app.issues.send_test(group="redaktion")
    [mail] = map(parse_mail, publication.mails())
    assert (mail["To"], mail["Subject"]) == (
        "chefin@example.net",
        "[Test] Was vom Bahnhof bleibt",
    )


def test_a_rejected_issue_is_not_sent_and_the_review_says_who_rejected_it(app: App) -> None:
    app.issues.compose()
    app.issues.reject(by="Bert")
    review = app.issues.approval_page()
    assert review.decision is not None
    assert (review.decision.approved, review.decision.by) == (False, "Bert")
    assert review.as_dict()["approved"] is False
    with pytest.raises(IssueError, match="is not approved"):
        app.issues.send()


def test_an_issue_is_paused_resumed_and_cancelled_by_name(
    publication: Publication, app: App
) -> None:
    app.issues.preview()
    for verb in (app.issues.pause, app.issues.resume, app.issues.cancel):
        with pytest.raises(IssueError):
            verb(ISSUE)
    app.issues.send(by="Anna", approve=True)
    assert app.issues.resume(ISSUE).status.closed
    assert len(publication.mails()) == 2


def test_an_issue_that_does_not_exist_has_no_status(app: App) -> None:
    with pytest.raises(IssueError, match="there is no issue yet"):
        app.issues.status()
    with pytest.raises(IssueError, match="there is no issue 2020-01-01"):
        app.issues.status("2020-01-01")
    with pytest.raises(IssueError, match="there is no issue 2020-01-01"):
        app.issues.deliveries("2020-01-01", state=DeliveryState.SENT)


def test_an_error_that_leaves_the_app_is_in_the_publications_language(
    publication: Publication,
) -> None:
    with pytest.raises(NothingNew, match="Kein neuer Essay"), open_app(publication.home) as app:
        app.issues.preview()


def test_a_linked_preview_opens_for_the_token_alone(publication: Publication, app: App) -> None:
    app.issues.compose()
    link = app.issues.approval_page().page.partition("/preview/")[2].partition(")")[0]
    page = app.issues.linked_preview(link)
    assert page is not None
    assert "Was vom Bahnhof bleibt" in page
    assert app.issues.linked_preview(link[:-2]) is None
