"""The digest: an issue of issues, for readers who chose it in place of each of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from PIL import Image

from upcycle_news.app.context import AppContext
from upcycle_news.checks.html_inspector import inspect_html
from upcycle_news.cli.output import format_status
from upcycle_news.errors import IssueError, NothingNew
from upcycle_news.i18n.messages import localized
from upcycle_news.models import IssueId, IssueState, RenderedIssue
from upcycle_news.models.archive_paths import file_of
from upcycle_news.models.digest import Rhythm
from upcycle_news.services.archive import build
from upcycle_news.services.archive import corrections as archive
from upcycle_news.services.archive.build import build_archive
from upcycle_news.services.delivery import issue_control, send
from upcycle_news.services.delivery.manual_send import queue_issue
from upcycle_news.services.issues import approval, compose, ids
from upcycle_news.services.issues.correction import correction_id
from upcycle_news.services.issues.digest import digest_id
from upcycle_news.services.issues.preview import preview_revision
from upcycle_news.services.issues.render import render_revision
from upcycle_news.services.issues.variants import explain_reader, readership
from upcycle_news.services.reports.delivery_report import delivery_report
from upcycle_news.storage import approvals, issues, revisions, wordings

from ...delivery.memory_ledger import Clock
from ...publications import Publication, issue_status, parse_mail, relay_variables
from ...two_languages import make_bilingual
from ..delivery.failing_relay import FailingRelay
from .digest_readers import add_reader, choose, go_to, offer_digest, send_one
from .topic_items import offer, publish, write_essay_with

FIRST, SECOND = IssueId.parse("2026-11-05"), IssueId.parse("2026-11-26")
DIGEST, LATER = IssueId.parse("2026-12-01-d1"), IssueId.parse("2026-12-01-d2")


@pytest.fixture
def relay() -> Iterator[FailingRelay]:
    with FailingRelay() as started:
        yield started


def write(publication: Publication, day: str, *titles: str, **front: str) -> None:
    for title in titles:
        publication.write_essay(title, date=day, **front)


def begin(publication: Publication, clock: Clock, **variables: str) -> AppContext:
    """Open a publication with a monthly digest, that anna chose and bert did not."""
    offer_digest(publication)
    go_to(clock, "2026-11-02")
    add_reader(publication, "anna")
    add_reader(publication, "bert", Rhythm.EVERY_ISSUE)
    return publication.context(**variables)


def november(publication: Publication, clock: Clock, **variables: str) -> AppContext:
    """Send two issues of November, of one and of two essays; it is the morning of 1 December then."""
    context = begin(publication, clock, **variables)
    for issue, titles in ((FIRST, ("Bahnhof",)), (SECOND, ("Schule", "Turm"))):
        go_to(clock, issue.day)
        write(publication, str(issue.day), *titles)
        send_one(context, issue)
    go_to(clock, "2026-12-01")
    return context


def rendered(context: AppContext, issue: IssueId = DIGEST) -> RenderedIssue:
    return render_revision(context, compose.compose_issue(context, issue)).content


def slugs(context: AppContext, issue: IssueId = DIGEST) -> list[str]:
    return [one.slug for one in compose.compose_manifest(context, issue).issue.essays]


def test_it_tells_the_issues_of_its_period_to_those_who_chose_it(
    publication: Publication, clock: Clock
) -> None:
    context = november(publication, clock)
    for issue in (FIRST, SECOND):
        status = issue_status(context, issue)
        assert (status.audience, status.sent, status.closed) == (1, 1, True)
        assert (status.left_for_digest, status.digest_day) == (1, DIGEST.day)
    assert digest_id(context) == DIGEST
    before = build_archive(context)
    send_one(context, DIGEST)
    assert Counter(publication.recipients()) == {"anna@example.org": 1, "bert@example.org": 2}
    mail = parse_mail(publication.mails()[-1])
    assert mail["Subject"] == "Umbaupost im November 2026"
    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert text.index("\nSchule\r") < text.index("\nTurm\r") < text.index("\nBahnhof\r")
    assert "Was in dieser Zeit erschienen ist" in text
    assert "Umbaupost im November 2026" in text
    assert "Mit: Schule · Turm · Bahnhof" in mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
    status = issue_status(context, DIGEST)
    assert (status.audience, status.sent, status.closed) == (1, 1, True)
    assert status.digest_day is None
    after = build_archive(context)
    assert (after.issues, after.essays) == (before.issues, before.essays)  # no list has it
    assert "2026-11-26, 2026-11-05" in delivery_report(context, DIGEST)
    assert "im Digest vom 2026-12-01" in delivery_report(context, SECOND)
    with pytest.raises(NothingNew, match="2027-01-01"):
        digest_id(context)


def test_no_link_of_its_mail_is_dead(publication: Publication, clock: Clock) -> None:
    context = november(publication, clock)
    assert build_archive(context).essays == 3
    rendering = render_revision(context, compose.compose_issue(context, DIGEST))
    assert rendering.findings == ()
    send_one(context, DIGEST)
    pages = []
    for link in inspect_html(rendering.content.html).link_urls:
        site = "https://umbaupost.example.net/"
        if link.startswith(site) and not link.startswith(f"{site}subscribe"):
            pages.append(file_of(link.removeprefix(site)))
    assert {"archive/index.html", "essays/turm/index.html", "essays/bahnhof/index.html"} <= set(
        pages
    )
    for page in pages:
        assert (context.archive_folder / page).is_file(), page


PAGE = "archive/2026-12-01-d1/index.html"


def test_a_digest_has_a_page_that_no_list_shows(publication: Publication, clock: Clock) -> None:
    context = november(publication, clock)
    build_archive(context)
    lists = {
        path.relative_to(context.archive_folder): path.read_bytes()
        for path in context.archive_folder.rglob("*")
        if path.is_file()
    }
    send_one(context, DIGEST)
    mail = parse_mail(publication.mails()[-1])
    html = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert f'href="https://umbaupost.example.net/{PAGE.removesuffix("index.html")}"' in html
    page = (context.archive_folder / PAGE).read_text("utf-8")
    assert '<meta name="robots" content="noindex' in page
    body = page.partition("<main")[2].partition("</main>")[0]
    assert (
        body.count(">Umbaupost im November 2026<") == 1
    )  # the heading, and no greeting that repeats it
    assert "Außerdem bei uns" not in body
    for slug in ("schule", "turm", "bahnhof"):
        assert f"essays/{slug}/" in page
    # Whatever was there before is the same: lists, feeds, site map, search, the other pages.
    ours = context.archive_folder / ".upcycle-news"
    for path, data in lists.items():
        if path.name != ours.name:
            assert (context.archive_folder / path).read_bytes() == data, path


def test_the_page_of_a_digest_shows_what_the_archive_shows_now(
    publication: Publication, clock: Clock
) -> None:
    context = november(publication, clock)
    send_one(context, DIGEST)
    essay = publication.home / "content/essays"
    [file] = essay.glob("*schule*")
    file.write_text(
        file.read_text("utf-8").replace('title: "Schule"', 'title: "Volksschule"'), "utf-8"
    )
    archive.correct(context, "schule", "Sie heißt anders.", by="test")
    archive.withdraw(context, "turm", "", by="test")
    page = (context.archive_folder / PAGE).read_text("utf-8")
    assert ">Volksschule<" in page and ">Schule<" not in page
    assert "essays/turm/" not in page and "essays/bahnhof/" in page
    archive.withdraw(context, str(FIRST), "", by="test")
    archive.withdraw(context, str(SECOND), "", by="test")
    page = (context.archive_folder / PAGE).read_text("utf-8")
    assert "essays/" not in page.split("<main", 1)[1].split("</main>")[0]


def test_a_digest_that_is_not_queued_leaves_no_page(
    publication: Publication, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = november(publication, clock)
    build_archive(context)

    def refuse(*_: object) -> None:
        assert (context.archive_folder / PAGE).is_file()
        raise IssueError(localized("untranslated", text="no"))

    monkeypatch.setattr(build, "raise_if_page_unreachable", refuse)
    with pytest.raises(IssueError):
        send_one(context, DIGEST)
    assert not (context.archive_folder / PAGE).exists()


def test_an_issue_that_all_get_in_a_digest_is_closed_at_once(
    publication: Publication, clock: Clock
) -> None:
    offer_digest(publication)
    go_to(clock, "2026-11-02")
    add_reader(publication, "anna")
    context = publication.context()
    go_to(clock, FIRST.day)
    write(publication, "2026-11-05", "Bahnhof")
    preview = preview_revision(context, compose.compose_issue(context, FIRST))
    assert (preview.readers.audience, preview.readers.left_for_digest) == (0, 1)
    assert preview.as_dict("de")["digest_day"] == "2026-12-01"
    send_one(context, FIRST)
    status = issue_status(context, FIRST)
    assert (status.state, status.audience, status.closed) == (IssueState.CLOSED, 0, True)
    assert status.as_dict()["left_for_digest"] == 1
    assert format_status(status, "de") == "Ausgabe 2026-11-05: Einzeln geht sie an niemanden."
    assert ids.current_issue(context) == IssueId(FIRST.day, 2)
    go_to(clock, "2026-12-01")
    send_one(context, digest_id(context))
    assert publication.recipients() == ["anna@example.org"]


def test_what_was_corrected_or_withdrawn_is_told_so(publication: Publication, clock: Clock) -> None:
    context = november(publication, clock)
    (path,) = (publication.home / "content/essays").glob("*-schule.md")
    path.write_text(path.read_text("utf-8").replace("umgebaut", "abgerissen"), encoding="utf-8")
    archive.correct(context, "schule", "Sie wird abgerissen.", by="test")
    archive.withdraw(context, "turm", "", by="test")
    assert slugs(context) == ["schule", "bahnhof"]
    assert "wird abgerissen" in rendered(context).text
    archive.withdraw(context, str(FIRST), "", by="test")
    assert slugs(context) == ["schule"]
    archive.withdraw(context, str(SECOND), "", by="test")
    with pytest.raises(NothingNew, match="nothing to tell"):
        compose.compose_manifest(context, DIGEST)
    with pytest.raises(NothingNew, match="no digest is due"):
        digest_id(context)


def test_a_correction_by_mail_also_goes_to_those_who_got_the_issue_in_a_digest(
    publication: Publication, clock: Clock
) -> None:
    context = november(publication, clock)
    send_one(context, DIGEST)
    (path,) = (publication.home / "content/essays").glob("*-bahnhof.md")
    path.write_text(path.read_text("utf-8").replace("umgebaut", "abgerissen"), encoding="utf-8")
    archive.correct(context, "bahnhof", "Er wird abgerissen.", by="test")
    send_one(context, correction_id(context, FIRST))
    assert Counter(publication.recipients()) == {"anna@example.org": 2, "bert@example.org": 3}
    with pytest.raises(IssueError, match="is not corrected"):
        correction_id(context, DIGEST)


def test_an_issue_that_comes_late_is_told_by_a_second_one(
    publication: Publication, clock: Clock
) -> None:
    context = november(publication, clock)
    with pytest.raises(IssueError, match="comes after 2026-12-01-d1"):
        compose.compose_manifest(context, LATER)
    send_one(context, DIGEST)
    with pytest.raises(NothingNew, match="nothing to tell"):
        compose.compose_manifest(context, LATER)
    go_to(clock, "2026-12-03")
    write(publication, "2026-11-27", "Werft")
    send_one(context, IssueId.parse("2026-11-27"))
    assert digest_id(context) == LATER
    assert rendered(context, LATER).subject == "Nachtrag: Umbaupost im November 2026"
    send_one(context, LATER)
    assert Counter(publication.recipients()) == {"anna@example.org": 2, "bert@example.org": 3}


def test_a_cancelled_issue_is_not_told(publication: Publication, clock: Clock) -> None:
    context = november(publication, clock)
    go_to(clock, "2026-11-30")
    write(publication, "2026-11-30", "Werft")
    issue = IssueId.parse("2026-11-30")
    revision = render_revision(context, compose.compose_issue(context, issue))
    approval.approve(context, revision, by="test")
    send.enqueue(context, revision)
    go_to(clock, "2026-12-01")
    assert slugs(context) == ["werft", "schule", "turm", "bahnhof"]
    issue_control.cancel(context, issue)
    assert slugs(context) == ["schule", "turm", "bahnhof"]


def test_another_issue_of_its_period_and_a_withdrawal_void_its_approval(
    publication: Publication, clock: Clock
) -> None:
    context = november(publication, clock)
    revision = render_revision(context, compose.compose_issue(context, DIGEST))
    approval.approve(context, revision, by="test")
    assert compose.edits_since(context, revision.revision) == ()
    write(publication, "2026-11-30", "Werft")
    send_one(context, IssueId.parse("2026-11-30"))
    changes = compose.edits_since(context, revision.revision)
    assert changes[:2] == ("issue 2026-11-30", "essay werft")
    with pytest.raises(IssueError, match="has changed since"):
        queue_issue(context, DIGEST, collect=False)
    again = render_revision(context, compose.compose_issue(context, DIGEST))
    assert again.revision.approved is None
    approval.approve(context, again, by="test")
    archive.withdraw(context, "bahnhof", "", by="test")
    assert "essay bahnhof" in compose.edits_since(context, again.revision)
    with pytest.raises(IssueError, match="has changed since"):
        queue_issue(context, DIGEST, collect=False)


def test_new_readers_and_other_choices_do_not_void_it(
    publication: Publication, clock: Clock
) -> None:
    context = november(publication, clock)
    revision = render_revision(context, compose.compose_issue(context, DIGEST))
    approval.approve(context, revision, by="test")
    number = add_reader(publication, "carla")
    choose(context, number, Rhythm.EVERY_ISSUE)
    assert compose.edits_since(context, revision.revision) == ()
    queue_issue(context, DIGEST, collect=False)


def test_its_words_can_be_changed_in_the_form(publication: Publication, clock: Clock) -> None:
    context = november(publication, clock)
    assert rendered(context).subject == "Umbaupost im November 2026"
    words = {"subject": "Der November", "greeting": "Guten Tag."}
    wordings.set_wording(context.store, DIGEST, words, by="Anna", now=clock.now)
    content = rendered(context)
    assert content.subject == "Der November"
    assert "Guten Tag." in content.text
    assert "Was in dieser Zeit" not in content.text


def test_items_come_from_all_issues_in_turn_and_can_be_left_out(
    publication: Publication, clock: Clock
) -> None:
    offer(publication)
    offer_digest(publication, settings="items = 4\n")
    go_to(clock, "2026-11-02")
    add_reader(publication, "anna")
    add_reader(publication, "berta", topics=("Energie",))
    context = publication.context()
    for number, issue in enumerate((FIRST, SECOND), 1):
        go_to(clock, issue.day)
        links = publish(context, number=number)
        write_essay_with(publication, links, f"Folge {number}", date=str(issue.day))
        send_one(context, issue)
    go_to(clock, "2026-12-01")
    manifest = compose.compose_issue(context, DIGEST).manifest
    told = [one.story.lead.title.split()[1] for one in manifest.issue.related]
    assert told == ["2", "2", "1", "1"]
    assert {one.essay for one in manifest.issue.related} == {"folge-1", "folge-2"}
    assert [one.key for one in manifest.variants.all] == ["de", "de:energie"]
    links = {one.story.lead.canonical for one in manifest.issue.related}
    assert issues.used_items(context.store, links) == links  # nobody gets one again
    first = manifest.issue.related[0].story.lead
    approvals.exclude_items(context.store, DIGEST, {first.key, first.canonical})
    left = compose.compose_issue(context, DIGEST).manifest.issue.related
    assert first.canonical not in {one.story.lead.canonical for one in left}
    assert len(left) == 4
    send_one(context, DIGEST)
    assert issue_status(context, DIGEST).audience == 2


def test_each_reader_gets_it_in_their_language(publication: Publication, clock: Clock) -> None:
    make_bilingual(publication)
    offer_digest(publication)
    go_to(clock, "2026-11-02")
    add_reader(publication, "anna")
    add_reader(publication, "carol", language="en")
    context = publication.context()
    folder = publication.home / "content/essays"
    for issue, title in ((FIRST, "Bahnhof"), (SECOND, "Schule")):
        go_to(clock, issue.day)
        write(publication, str(issue.day), title)
        german = folder / f"{issue.day}-{title.lower()}.md"
        german.rename(german.with_suffix(".de.md"))
        if issue == SECOND:
            text = "---\ntitle: The School\n---\n\nIt is rebuilt.\n"
            german.with_suffix(".en.md").write_text(text, encoding="utf-8")
        send_one(context, issue)
    go_to(clock, "2026-12-01")
    send_one(context, DIGEST)
    mails = {mail["To"]: mail for mail in map(parse_mail, publication.mails())}
    assert mails["anna@example.org"]["Subject"] == "Umbaupost im November 2026"
    assert mails["carol@example.org"]["Subject"] == "Conversion Post in November 2026"
    text = mails["carol@example.org"].get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "The School" in text
    assert "Bahnhof" in text  # as it is: nobody translated it
    assert "https://umbaupost.example.net/en/" in text


def test_pictures_of_one_name_stay_those_of_their_issues(
    publication: Publication, clock: Clock
) -> None:
    context = begin(publication, clock)
    picture = publication.home / "content/images/haus.png"
    colours = {"Bahnhof": "red", "Schule": "blue", "Turm": "green"}
    for day, (title, colour) in zip(("05", "12", "19"), colours.items(), strict=True):
        issue = go_to(clock, f"2026-11-{day}")
        picture.parent.mkdir(exist_ok=True)
        Image.new("RGB", (600, 300), colour).save(picture)
        write(publication, str(issue.day), title, image="haus.png", image_alt=f"Haus in {colour}")
        send_one(context, issue)
    go_to(clock, "2026-12-01")
    manifest = compose.compose_manifest(context, DIGEST)
    shown = [essay.image.path for essay in manifest.issue.essays if essay.image]
    assert len(set(shown)) == 3
    assert len({manifest.images[path] for path in shown}) == 3
    assert render_revision(context, compose.compose_issue(context, DIGEST)).errors == ()


def test_it_is_no_issue_of_the_day_and_uses_up_nothing(
    publication: Publication, clock: Clock
) -> None:
    context = november(publication, clock)
    assert compose.compose_issue(context, DIGEST).issue == DIGEST
    assert ids.current_issue(context) == IssueId.parse("2026-12-01")
    send_one(context, DIGEST)
    assert ids.current_issue(context) == IssueId.parse("2026-12-01")
    assert revisions.issues_by_essay(context.store)["bahnhof"] == FIRST
    before = revisions.previous_issue(context.store, IssueId.parse("2026-12-03"))
    assert before is not None and before[0] == SECOND
    assert revisions.previous_issue(context.store, DIGEST) is None
    assert issues.newest_issue(context.store, frozen=True) == DIGEST
    assert issues.newest_issue(context.store, frozen=True, digests=False) == SECOND


def test_it_is_not_made_before_its_day_and_not_without_a_period(
    publication: Publication, clock: Clock
) -> None:
    context = november(publication, clock)
    go_to(clock, "2026-11-30")
    with pytest.raises(NothingNew, match="is made on 2026-12-01"):
        compose.compose_manifest(context, DIGEST)
    with pytest.raises(NothingNew, match="no period of a digest ended before 2026-11-20"):
        compose.compose_manifest(context, IssueId.parse("2026-11-20-d1"))
    with pytest.raises(IssueError, match="name none"):
        go_to(clock, "2026-12-01")
        compose.compose_manifest(context, DIGEST, ["bahnhof"])


def test_nobody_who_chose_it_is_left(publication: Publication, clock: Clock) -> None:
    context = november(publication, clock)
    publication.run("subscribers", "unsubscribe", "anna@example.org")
    with pytest.raises(NothingNew, match="nobody would get the digest"):
        compose.compose_manifest(context, DIGEST)
    with pytest.raises(NothingNew, match="no digest is due"):
        digest_id(context)


def test_switched_off_it_is_made_once_more_for_the_period_that_began(
    publication: Publication, clock: Clock
) -> None:
    november(publication, clock)
    publication.change_setting('interval = "monthly"', 'interval = ""')
    context = publication.context()
    send_one(context, digest_id(context))
    with pytest.raises(NothingNew, match="no digest is set"):
        digest_id(context)
    write(publication, "2026-12-01", "Werft")
    send_one(context, IssueId.parse("2026-12-01"))
    assert Counter(publication.recipients()) == {"anna@example.org": 2, "bert@example.org": 3}


@pytest.mark.parametrize(
    ("interval", "first", "subject"),
    [
        pytest.param("weekly", "2026-11-23", "Umbaupost vom 23.\u00a0bis 29.\u00a0November 2026", id="week"),
        pytest.param("weekly", "2026-11-25", "Umbaupost vom 25.\u00a0bis 29.\u00a0November 2026", id="part of a week"),
        pytest.param("weekly", "2026-11-29", "Umbaupost vom 29.\u00a0November 2026", id="day"),
        pytest.param("weekly", "2026-11-30", "Umbaupost vom 30.\u00a0November bis 6.\u00a0Dezember 2026", id="two months"),
        pytest.param("weekly", "2026-12-28", "Umbaupost vom 28.\u00a0Dezember 2026 bis 3.\u00a0Januar 2027", id="two years"),
        pytest.param("monthly", "2026-11-01", "Umbaupost im November 2026", id="month"),
        pytest.param("quarterly", "2026-10-01", "Umbaupost im 4.\u00a0Quartal 2026", id="quarter"),
        pytest.param("quarterly", "2026-12-02", "Umbaupost vom 2.\u00a0bis 31.\u00a0Dezember 2026", id="part of a quarter"),
    ],
)  # fmt: skip
def test_its_subject_names_the_period(
    publication: Publication, clock: Clock, interval: str, first: str, subject: str
) -> None:
    # An issue of the day before went to all, so that the period begins with the next day.
    before = date.fromisoformat(first) - timedelta(days=1)
    publication.add_many_subscribers(1)
    write(publication, "2026-09-01", "Bahnhof")
    send_one(publication.context(), go_to(clock, before))
    offer_digest(publication, interval)
    go_to(clock, first)
    add_reader(publication, "anna")
    context = publication.context()
    write(publication, "2026-09-02", "Schule")
    send_one(context, IssueId(date.fromisoformat(first)))
    clock.now += timedelta(days=100)
    assert rendered(context, digest_id(context)).subject.replace(" ", "\u00a0") == subject.replace(
        " ", "\u00a0"
    )


def test_a_catalogue_that_lacks_its_words_is_found_by_check(publication: Publication) -> None:
    path = publication.home / "templates/texts.en.toml"
    text = path.read_text("utf-8").replace("digest_quarter", "quarter_of_old")
    path.write_text(text, encoding="utf-8")
    make_bilingual(publication)
    assert "digest_quarter" not in publication.run("check").out
    offer_digest(publication)
    found = publication.run("check", code=1).out
    assert "„digest_quarter“" in found
    assert "digest-no-choice" not in found
    page = publication.home / "templates/page.html"
    page.write_text(page.read_text("utf-8").replace("rhythm", "frequency"), encoding="utf-8")
    assert "templates/page.html:1: warning digest-no-choice" in publication.run("check", code=1).out


def test_a_reader_is_told_why_an_issue_does_not_come_by_itself(
    publication: Publication, clock: Clock
) -> None:
    context = begin(publication, clock)
    go_to(clock, FIRST.day)
    write(publication, "2026-11-05", "Bahnhof")
    revision = compose.compose_issue(context, FIRST)
    assert (
        readership(context, revision).audience,
        readership(context, revision).left_for_digest,
    ) == (1, 1)
    said = "get this issue in the digest of 2026-12-01"
    assert said in str(explain_reader(context, FIRST, 1).why)
    send_one(context, FIRST)
    assert said in str(explain_reader(context, FIRST, 1).why)
    assert explain_reader(context, FIRST, 2).number == 0


def test_what_lies_in_the_mailbox_only_is_not_told_once_a_relay_is_set(
    publication: Publication, clock: Clock, relay: FailingRelay
) -> None:
    november(publication, clock)
    context = publication.context(**relay_variables(relay.port))
    with pytest.raises(NothingNew, match="no digest is due"):
        digest_id(context)
    send_one(context, FIRST)
    assert slugs(context) == ["bahnhof"]
    send_one(context, digest_id(context))
    send_one(context, SECOND)
    assert digest_id(context) == LATER
    send_one(context, LATER)
    assert dict(relay.accepted) == {"anna@example.org": 2, "bert@example.org": 2}


def test_a_digest_in_the_mailbox_is_sent_over_the_relay_later(
    publication: Publication, clock: Clock, relay: FailingRelay
) -> None:
    send_one(november(publication, clock), DIGEST)
    context = publication.context(**relay_variables(relay.port))
    send_one(context, FIRST)
    send_one(context, SECOND)
    assert digest_id(context) == DIGEST
    send_one(context, DIGEST)
    assert dict(relay.accepted) == {"anna@example.org": 1, "bert@example.org": 2}
    with pytest.raises(NothingNew):
        digest_id(context)
