"""An issue that has a file: what it says and holds, who overrules it, and what voids its approval."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.errors import ContentError, IssueError, NothingNew
from upcycle_news.models import IssueId
from upcycle_news.services.archive.build import build_archive
from upcycle_news.services.checks.run import check_everything
from upcycle_news.services.delivery import send
from upcycle_news.services.delivery.manual_send import Approver, queue_issue
from upcycle_news.services.issues import approval, compose, issue_file, plan
from upcycle_news.services.issues.essay_filter import EssayFilter
from upcycle_news.services.issues.render import RefusedError, render_revision
from upcycle_news.services.reports.delivery_report import delivery_report
from upcycle_news.services.runs import admission, steps
from upcycle_news.services.runs.pending import due_issues, pending_issues
from upcycle_news.storage import wordings

from ...delivery.memory_ledger import Clock
from ...publications import Publication, approve_issue, parse_mail, send_issue

ISSUE = IssueId.parse("2026-11-26")
LATER = IssueId.parse("2026-12-03")


def write_file(publication: Publication, text: str, issue: IssueId = ISSUE) -> Path:
    path = publication.home / f"content/issues/{issue}.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def written(publication: Publication) -> AppContext:
    """A publication with three essays and two readers."""
    for title in ("Bahnhof", "Schule", "Tür"):
        publication.write_essay(title)
    publication.add_many_subscribers(2)
    return publication.context()


def slugs(manifest: object) -> list[str]:
    return [essay.slug for essay in manifest.issue.essays]  # type: ignore[attr-defined]


def codes(context: AppContext, issue: IssueId = ISSUE) -> set[str]:
    return {finding.code for finding in render_revision(context, compose.compose_issue(context, issue)).findings}  # fmt: skip


def test_an_issue_says_and_holds_what_its_file_says(publication: Publication) -> None:
    context = written(publication)
    write_file(
        publication,
        "---\nsubject: 'Was \"hält\"'\npreheader: Zwei Texte\nclosing_note: Bis bald.\n"
        "essays:\n- tür: teaser\n- bahnhof\nfeeds_title: Andere {x}\n---\n\n"
        "Guten *Morgen*, [lesen Sie](https://example.org/mehr).\n",
    )
    assert send_issue(context).sent == 2
    mail = parse_mail(publication.mails()[0])
    html = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert mail["Subject"] == "Was „hält“"
    assert "Guten <em>Morgen</em>" in html.replace(' style=""', "")
    assert (
        html.index("Morgen") < html.index("Tür") < html.index("Bahnhof") < html.index("Bis bald.")
    )
    assert "Zwei Texte" in html
    assert "Schule" not in html
    assert text.index("lesen Sie [1]") < text.index("https://example.org/mehr") < text.index("Tür")
    assert "Bis bald." in text
    build_archive(context)
    page = (context.archive_folder / "archive/2026-11-26/index.html").read_text("utf-8")
    assert "Guten <em>Morgen</em>" in page
    assert "content/issues/2026-11-26.md" in delivery_report(context, ISSUE)


def test_what_a_file_leaves_out_waits_for_the_next_issue(publication: Publication) -> None:
    context = written(publication)
    write_file(publication, "---\nleave_out: [bahnhof]\n---\n")
    assert slugs(compose.compose_manifest(context, ISSUE)) == ["schule", "tür"]
    assert slugs(compose.compose_manifest(context, LATER)) == ["bahnhof", "schule", "tür"]
    write_file(publication, "---\nleave_out: [bahnhof, schule, tür]\n---\n")
    with pytest.raises(NothingNew, match="3 wait for a later issue, by the files of issues"):
        compose.compose_manifest(context, ISSUE)


def test_an_essay_that_a_later_file_names_waits_for_it(publication: Publication) -> None:
    context = written(publication)
    write_file(publication, "---\nessays: [schule]\n---\n", LATER)
    assert slugs(compose.compose_manifest(context, ISSUE)) == ["bahnhof", "tür"]
    assert "essay-reserved" in codes(context)
    planned = plan.plan_issues(context, 2).issues
    assert [[essay.slug for essay in one.essays] for one in planned] == [
        ["bahnhof", "tür"],
        ["schule"],
    ]
    assert [one.file for one in planned] == ["", "content/issues/2026-12-03.md"]
    write_file(publication, "---\nessays: [schule, bahnhof]\n---\n")
    assert slugs(compose.compose_manifest(context, ISSUE)) == ["schule", "bahnhof"]


def test_a_wrong_file_stops_its_issue_and_no_other(publication: Publication) -> None:
    context = written(publication)
    write_file(publication, "---\nsubjekt: x\nessays: [turm]\n---\n")
    with pytest.raises(ContentError, match=r"2026-11-26\.md:2: 'subjekt'"):
        compose.compose_manifest(context, ISSUE)
    assert slugs(compose.compose_manifest(context, LATER)) == ["bahnhof", "schule", "tür"]
    write_file(publication, "---\nessays: [turm]\n---\n")
    with pytest.raises(ContentError, match=r"2026-11-26\.md:2: there is no essay 'turm'"):
        compose.compose_manifest(context, ISSUE)


def test_check_names_all_files_and_those_that_nobody_will_use(publication: Publication) -> None:
    context = written(publication)
    for day, head in (("26", "essays: [turm]"), ("25", "subject: x"), ("27", "subject: x")):
        write_file(publication, f"---\n{head}\n---\n", IssueId.parse(f"2026-11-{day}"))
    for further in ("2026-12-03", "2026-12-03-2"):  # the schedule has one issue a day
        write_file(publication, "---\nsubject: x\n---\n", IssueId.parse(further))
    (publication.home / "content/issues/advent.md").write_text("---\n---\n")
    found = {
        (finding.code, finding.where)
        for finding in check_everything(context, ISSUE)
        if finding.where.startswith("content/issues")
    }
    assert found == {
        ("issue-file", "content/issues/advent.md:1"),
        ("issue-file", "content/issues/2026-11-26.md:2"),
        ("issue-file-unused", "content/issues/2026-11-25.md:1"),
        ("issue-file-unplanned", "content/issues/2026-11-27.md:1"),  # issues are on Thursdays
        ("issue-file-unplanned", "content/issues/2026-12-03-2.md:1"),
    }
    assert publication.run("check", code=1).out.count("content/issues/advent.md:1") == 1


def test_what_was_sent_is_not_looked_at_any_more(publication: Publication, clock: Clock) -> None:
    context = written(publication)
    write_file(publication, "---\nsubject: Hallo\nessays: [schule]\n---\n")
    send_issue(context)
    clock.now += timedelta(days=3)
    found = [finding.code for finding in check_everything(context, LATER) if "issues/" in finding.where]  # fmt: skip
    assert found == []
    assert not any("issues/" in note for note in plan.plan_issues(context, 1).notes)


def test_a_changed_file_voids_the_approval(publication: Publication) -> None:
    context = written(publication)
    path = write_file(publication, "---\nsubject: Hallo\n---\n")
    _, rendered = approve_issue(context)
    assert compose.edits_since(context, rendered.revision) == ()
    for text in (
        "---\nsubject: Hallo!\n---\n",
        "---\nsubject: Hallo\npin: [https://example.org/x]\n---\n",
        "---\nsubject: Hallo\n---\nGuten Tag\n",
        "---\nsubject: Hallo\nnot_before: 09:00\n---\n",
        "---\nsubject: Hallo\nessays: [schule]\n---\n",
    ):
        path.write_text(text)
        assert "content/issues/2026-11-26.md" in compose.edits_since(context, rendered.revision)
        with pytest.raises(IssueError, match="has changed since"):
            queue_issue(context, ISSUE, collect=False)
    path.write_text("---\n# nothing but a note\nsubject: Hallo\n---\n")
    assert compose.edits_since(context, rendered.revision) == ()
    path.unlink()
    assert compose.edits_since(context, rendered.revision) == ("content/issues/2026-11-26.md",)


def test_a_run_overrules_the_file_and_the_report_says_so(publication: Publication) -> None:
    context = written(publication)
    write_file(
        publication, "---\nessays: [tür, schule]\nleave_out: [bahnhof]\nsubject: Hallo\n---\n"
    )
    for wanted, expected, overruled in (
        (EssayFilter(), ["tür", "schule"], ()),
        (EssayFilter(leave_out=["schule"]), ["tür"], ("essays",)),
        (EssayFilter(essays=["bahnhof", "schule"]), ["schule", "bahnhof"], ("essays", "leave_out")),
    ):
        composed = steps.compose(context, ISSUE, wanted, run="run")
        revision = compose.compose_issue(context, ISSUE, compose.select_essays(context, ISSUE, wanted))  # fmt: skip
        assert composed.revision_id == revision.revision_id
        assert (slugs(revision.manifest), revision.manifest.issue.overruled) == (
            expected,
            overruled,
        )
    rendered = render_revision(context, revision)
    assert "issue-file-overruled" in {finding.code for finding in rendered.findings}
    approval.approve(context, rendered, by="test", composed_now=True)
    assert compose.edits_since(context, revision) == ()
    send.enqueue(context, rendered)
    assert "essays, leave\\_out" in delivery_report(context, ISSUE)


def test_prefects_form_wins_over_the_file(publication: Publication, clock: Clock) -> None:
    context = written(publication)
    write_file(publication, "---\nsubject: Hallo\n---\nGuten Tag\n")
    compose.compose_issue(context, ISSUE)
    texts = {"subject": "Nein, so", "greeting": ""}
    wordings.set_wording(context.store, ISSUE, texts, by="Anna", now=clock.now)
    issue = compose.compose_issue(context, ISSUE).manifest.issue
    assert (issue.subject, issue.greeting) == ("Nein, so", "")
    assert issue.overruled == ("subject", "greeting")


def test_a_greeting_is_checked_at_its_line(publication: Publication) -> None:
    context = written(publication)
    write_file(
        publication, "---\nsubject: x\n---\n\nGut.\n\nSiehe [hier](schule.md), <b>fett</b>.\n"
    )
    found = render_revision(context, compose.compose_issue(context, ISSUE)).findings
    places = {finding.where for finding in found if finding.level == "error"}
    assert "content/issues/2026-11-26.md:7" in places


def test_a_greeting_that_the_templates_do_not_show_is_an_error(publication: Publication) -> None:
    context = written(publication)
    write_file(publication, "---\n---\nGuten Tag\n")
    (publication.home / "templates/partials/greeting.mjml").write_text("")
    found = [
        finding.where
        for finding in render_revision(context, compose.compose_issue(context, ISSUE)).findings
        if finding.code == "issue-file-unshown"
    ]
    assert found == ["templates/newsletter.mjml"]


def test_a_greeting_may_show_a_picture(publication: Publication) -> None:
    from ...rendering.sample_manifest import png

    context = written(publication)
    (publication.home / "content/images").mkdir(exist_ok=True)
    (publication.home / "content/images/haus.png").write_bytes(png(60, 40))
    write_file(publication, "---\n---\n![Ein Haus](haus.png)\n")
    rendered = render_revision(context, compose.compose_issue(context, ISSUE))
    assert not rendered.errors
    assert len(rendered.content.images) == 1


# --- not before a time


def test_nothing_is_sent_before_the_time_in_the_file(
    publication: Publication, clock: Clock
) -> None:
    context = written(publication)
    write_file(publication, "---\nnot_before: 09:15\n---\n")  # it is 07:00 in Berlin
    _, rendered = approve_issue(context)
    with pytest.raises(IssueError, match=r"before 09:15"):
        send.enqueue(context, rendered)
    with pytest.raises(IssueError, match=r"before 09:15"):
        queue_issue(context, ISSUE, approver=Approver(always=True), collect=False)
    clock.now += timedelta(hours=2, minutes=14)
    assert pending_issues(context, max_lateness_hours=1) == due_issues(context) == []
    clock.now += timedelta(minutes=1)
    assert due_issues(context, max_lateness_hours=1) == ["2026-11-26"]
    assert pending_issues(context, max_lateness_hours=1) == ["2026-11-26"]


def test_a_person_may_send_it_earlier(publication: Publication) -> None:
    context = written(publication)
    write_file(publication, "---\nnot_before: 09:15\n---\n")
    queue_issue(context, ISSUE, approver=Approver(always=True), collect=False, ahead=True)
    assert send.deliver_issue(context, ISSUE).sent == 2


def test_a_run_that_approves_leaves_it_to_deliver_pending(
    publication: Publication, clock: Clock
) -> None:
    context = written(publication)
    write_file(publication, "---\nnot_before: 09:15\n---\n")
    admission.admit_run(context, str(ISSUE), planned_at=clock.now, run="run", max_lateness_hours=12)
    revision_id = steps.compose(context, ISSUE, EssayFilter(), run="run").revision_id
    form = approval.request_approval(context, ISSUE, revision_id, run="run", approve=True)
    assert form.ended is not None
    assert (form.ended.name, form.ended.kind) == ("WaitsForItsDay", "completed")
    assert "bis 09:15 Uhr" in form.ended.message
    clock.now += timedelta(hours=3)
    assert pending_issues(context) == ["2026-11-26"]


def test_a_time_that_was_taken_out_of_the_file_holds_nothing_up(publication: Publication) -> None:
    context = written(publication)
    path = write_file(publication, "---\nnot_before: 09:15\n---\n")
    compose.compose_issue(context, ISSUE)
    path.unlink()
    queue_issue(context, ISSUE, approver=Approver(always=True), collect=False)


# --- by command


def test_issue_new_begins_a_file_that_changes_nothing_yet(publication: Publication) -> None:
    context = written(publication)
    before = compose.compose_manifest(context, ISSUE)
    path = publication.run("issue", "new", "2026-11-26").out.strip()
    assert path.endswith("content/issues/2026-11-26.md")
    after = compose.compose_manifest(context, ISSUE)
    assert after.issue.file is not None
    assert (after.issue.subject, slugs(after)) == (before.issue.subject, slugs(before))
    assert "Diese Datei gibt es schon" in publication.run("issue", "new", "2026-11-26", code=1).err
    send_issue(context)
    assert "wird schon verschickt" in publication.run("issue", "new", "2026-11-26", code=1).err
    assert "keine eigene Datei" in publication.run("issue", "new", "2026-11-26-c1", code=1).err


def test_diff_shows_what_changed_in_the_file(publication: Publication) -> None:
    context = written(publication)
    path = write_file(publication, "---\nsubject: Hallo\n---\n")
    compose.compose_issue(context, ISSUE)
    path.write_text("---\nsubject: Hallo\nfeeds_title: Andere\n---\n")
    difference = publication.run("issue", "diff", "2026-11-26", "--json").json
    assert [change["name"] for change in difference["file"]] == ["content/issues/2026-11-26.md"]
    assert "+feeds_title: Andere" in difference["file"][0]["diff"]
    assert "content/issues/2026-11-26.md" in publication.run("issue", "diff", "2026-11-26").out


def test_the_file_of_a_second_issue_is_planned_once_the_first_is_sent(
    publication: Publication,
) -> None:
    context = written(publication)
    second = IssueId.parse("2026-11-26-2")
    before = issue_file.unplanned(context, second)
    assert before is not None
    assert "keine weitere Ausgabe" in before.in_language("de")
    assert issue_file.unplanned(context, ISSUE) is None


def test_the_plan_names_a_file_without_a_subject_by_its_name_alone(
    publication: Publication,
) -> None:
    write_file(publication, "---\nsubject: ''\n---\n", LATER)
    lines = publication.run("issue", "plan", "--count", "3").out.splitlines()
    assert [line.rstrip() for line in lines if "2026-12-03.md" in line] == [
        "  Datei  content/issues/2026-12-03.md"
    ]


def test_a_piece_of_a_template_in_a_greeting_or_an_essay_is_named_at_its_line(
    publication: Publication,
) -> None:
    context = written(publication)
    path = write_file(publication, "---\nsubject: x\n---\n\nHallo {{ name }}\n")
    place = "content/issues/2026-11-26.md:5"
    found = {(one.code, one.where) for one in check_everything(context, ISSUE) if one.level == "error"}  # fmt: skip
    assert found == {("leftover", place)}
    with pytest.raises(RefusedError, match=f"{place}: leftover"):
        render_revision(context, compose.compose_issue(context, ISSUE))
    path.unlink()
    essay = next((publication.home / "content/essays").glob("*bahnhof*"))
    essay.write_text(essay.read_text(encoding="utf-8") + "\nHallo {{ name }}\n", encoding="utf-8")
    with pytest.raises(RefusedError, match=rf"{essay.name}:\d+: leftover"):
        render_revision(context, compose.compose_issue(context, ISSUE))


def test_a_private_note_in_a_greeting_is_to_be_deleted(publication: Publication) -> None:
    context = written(publication)
    write_file(publication, "---\nsubject: x\n---\nHallo %%Name erfragen%%\n")
    said = [one.line("de") for one in check_everything(context, ISSUE) if one.level == "error"]
    assert said == [
        "content/issues/2026-11-26.md:4: private-note: Hier beginnt eine private Bemerkung (%%). "
        "Niemand soll sie lesen: Löschen Sie sie."
    ]
