from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from upcycle_news.errors import IssueError
from upcycle_news.models import InlineImage, IssueState, RenderedIssue, Variants
from upcycle_news.storage import approvals, issues, revisions
from upcycle_news.storage.database import Store

from .sample_rows import (
    ISSUE,
    NOW,
    add,
    approve,
    essay,
    load,
    manifest,
    queued,
    save,
)

LATER = NOW + timedelta(minutes=5)


def test_the_same_inputs_are_the_same_revision(store: Store) -> None:
    first = revisions.save_revision(store, manifest(), git_commit="abc", now=NOW)
    again = revisions.save_revision(store, manifest(), git_commit="def", now=LATER)
    assert first.revision_id == again.revision_id
    assert revisions.previous_revision(store, ISSUE, again.revision_id) is None


def test_a_saved_revision_is_what_is_loaded_later(store: Store) -> None:
    saved = revisions.save_revision(store, manifest(), git_commit="", now=NOW)
    assert revisions.load_revision(store, ISSUE) == saved


@pytest.mark.parametrize(
    "changed",
    [
        manifest(subject="Anders"),
        manifest(essays=(essay(body="Ein Wort mehr."),)),
        manifest(related=()),
        replace(manifest(), templates={"newsletter.mjml": "<mjml></mjml>"}),
        replace(manifest(), images={"bahnhof.jpg": b"other bytes"}),
        replace(
            manifest(), publication=replace(manifest().publication, imprint=("Anderswo e. V.",))
        ),
    ],
)
def test_any_visible_change_is_a_new_revision(store: Store, changed) -> None:
    assert save(store) != save(store, changed)


def test_a_revision_is_loaded_with_its_inputs_unchanged(store: Store) -> None:
    revision_id = save(store)
    revision = revisions.load_revision(store, ISSUE, revision_id)
    assert revision is not None
    assert revision.manifest == manifest()
    assert revision.approved is None


def test_returning_to_an_earlier_text_makes_that_revision_the_newest(store: Store) -> None:
    first = save(store, now=NOW)
    save(store, manifest(subject="Anders"), now=NOW + timedelta(minutes=1))
    save(store, now=LATER)
    newest = revisions.load_revision(store, ISSUE)
    assert newest is not None
    assert newest.revision_id == first
    status = issues.status(store, ISSUE)
    assert status is not None
    assert status.revision_id == first


@pytest.mark.parametrize("back_to_the_first", [False, True])
def test_the_last_saved_revision_is_the_newest_even_after_the_clock_was_set_back(
    store: Store, back_to_the_first: bool
) -> None:
    first = save(store, now=NOW)
    second = save(store, manifest(subject="Anders"), now=NOW - timedelta(hours=1))
    if back_to_the_first:
        save(store, now=NOW - timedelta(hours=1))
    newest, status = revisions.load_revision(store, ISSUE), issues.status(store, ISSUE)
    assert newest is not None
    assert status is not None
    assert newest.revision_id == status.revision_id == (first if back_to_the_first else second)


def test_an_approval_belongs_to_one_revision_and_the_last_decision_counts(store: Store) -> None:
    first, second = save(store), save(store, manifest(subject="Anders"), now=LATER)
    approvals.record_decision(store, ISSUE, first, approved=True, by="Anna", now=NOW)

    def approved(revision_id: str) -> bool | None:
        revision = revisions.load_revision(store, ISSUE, revision_id)
        assert revision is not None
        return revision.approved

    assert (approved(first), approved(second)) == (True, None)
    approvals.record_decision(store, ISSUE, first, approved=False, by="Bert", now=LATER)
    assert approved(first) is False


def test_a_late_rejection_is_refused_and_names_the_commands_that_stop_the_issue(
    store: Store,
) -> None:
    revision_id = queued(store, "leserin@example.org")
    with pytest.raises(IssueError, match=r"have begun.*issue pause 2026-11-26.*issue cancel"):
        approvals.record_decision(store, ISSUE, revision_id, approved=False, by="Anna", now=LATER)
    revision = revisions.load_revision(store, ISSUE, revision_id)
    assert revision is not None
    assert revision.approved is True


def test_a_frozen_issue_takes_no_new_revision(store: Store) -> None:
    queued(store, "leserin@example.org")
    with pytest.raises(IssueError, match="frozen"):
        save(store, manifest(subject="Zu spät"))


def test_a_rendering_is_stored_byte_for_byte_and_never_replaced(store: Store) -> None:
    revision_id = save(store)
    rendered = RenderedIssue(
        issue=ISSUE,
        language="de",
        subject="Was vom Bahnhof bleibt",
        html="<p>„Größe“</p>\r\n",
        text="„Größe“\n",
        mjml="<mjml/>",
        images=(InlineImage("bahnhof", "image/jpeg", b"\xff\xd8\x00\xff"),),
    )
    assert revisions.load_rendering(store, ISSUE, revision_id) is None
    revisions.save_renderings(store, revision_id, Variants(), [rendered])
    upgraded = replace(rendered, html="after an upgrade")
    revisions.save_renderings(store, revision_id, Variants(), [upgraded])
    assert revisions.load_rendering(store, ISSUE, revision_id) == rendered


def test_an_issue_that_was_never_previewed_is_unknown(store: Store) -> None:
    assert revisions.load_revision(store, ISSUE) is None
    assert issues.get(store, ISSUE) is None
    assert issues.status(store, ISSUE) is None


def test_each_issue_keeps_a_number_of_its_own(store: Store) -> None:
    second = replace(ISSUE, ordinal=2)
    save(store, manifest(second))
    save(store)
    save(store, manifest(subject="Anders"))
    numbers = {str(row.id): row.number for row in issues.all_issues(store)}
    assert numbers == {"2026-11-26-2": 1, "2026-11-26": 2}
    assert [str(row.id) for row in issues.all_issues(store)] == ["2026-11-26", "2026-11-26-2"]


def test_an_issue_stays_open_until_it_is_queued(store: Store) -> None:
    add(store, "leserin@example.org")
    revision_id = save(store)
    row = issues.get(store, ISSUE)
    assert row is not None
    assert (row.state, row.revision_id, row.audience) == (IssueState.OPEN, "", 0)
    approve(store, revision_id)
    issues.enqueue(store, load(store, revision_id), now=LATER)
    row = issues.get(store, ISSUE)
    assert row is not None
    assert (row.state, row.revision_id, row.audience) == (IssueState.SENDING, revision_id, 1)
    assert row.enqueued_at == LATER
