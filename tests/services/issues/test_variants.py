"""The feed part by the reader's topics, from the preview to the mail that each reader has."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.errors import IssueError
from upcycle_news.models import DeliveryState, IssueId
from upcycle_news.services.delivery import send
from upcycle_news.services.issues import approval, compose
from upcycle_news.services.issues.approval_form import approval_page
from upcycle_news.services.issues.render import RenderedRevision, render_revision
from upcycle_news.services.issues.variants import explain_reader, find_variant, readership
from upcycle_news.storage import issues

from ...delivery.memory_ledger import Clock
from ...publications import Publication, approve_issue, issue_status, parse_mail, send_issue
from .topic_items import TOPICS, add_readers, choose, offer, publish, write_essay_with

ISSUE = IssueId.parse("2026-11-26")
READERS = {
    "anna": (),
    "bert": ("Bestand",),
    "cem": ("Energie", "Kleinstadt"),
    "dora": ("Kleinstadt", "Energie"),
    "emil": TOPICS,
}


@pytest.fixture
def by_topics(publication: Publication) -> tuple[Publication, dict[str, int]]:
    """A publication with an issue of three items, one for each topic, and five readers."""
    offer(publication)
    readers = add_readers(publication, **READERS)
    write_essay_with(publication, publish(publication.context()))
    return publication, readers


def items_of(mail: bytes) -> set[str]:
    """Return the topics of the items in a mail, by both of its parts, which must agree."""
    message = parse_mail(mail)
    parts = [message.get_body((kind,)) for kind in ("plain", "html")]
    found = [set(re.findall(r"Meldung \d+ aus (\w+)", part.get_content())) for part in parts if part]  # fmt: skip
    assert found[0] == found[1]
    assert "Was vom Bahnhof bleibt" in str(message["Subject"])
    return found[0]


def received(publication: Publication) -> dict[str, set[str]]:
    """Return the topics of the items that each reader has; nobody may have two mails."""
    mails = publication.mails()
    names = [parse_mail(mail)["To"].addresses[0].username for mail in mails]
    assert max(Counter(names).values()) == 1
    return dict(zip(names, map(items_of, mails), strict=True))


def preview(context: AppContext) -> RenderedRevision:
    return render_revision(context, compose.compose_issue(context, ISSUE))


def test_each_reader_gets_the_essay_and_the_items_of_their_topics(
    by_topics: tuple[Publication, dict[str, int]],
) -> None:
    publication, _ = by_topics
    status = send_issue(publication.context())
    assert status.closed
    assert received(publication) == {
        "anna": set(TOPICS),
        "bert": {"Bestand"},
        "cem": {"Energie", "Kleinstadt"},
        "dora": {"Energie", "Kleinstadt"},
        "emil": set(TOPICS),
    }


def test_the_sums_of_the_variants_add_up_to_the_closing_sum(
    by_topics: tuple[Publication, dict[str, int]],
) -> None:
    publication, _ = by_topics
    send_issue(publication.context())
    status = publication.run("issue", "status", "2026-11-26", "--json").json
    assert status["audience"] == status["sent"] == 5
    assert [
        (one["variant"], one["topics"], one["audience"], one["sent"]) for one in status["variants"]
    ] == [
        ("de", None, 2, 2),
        ("de:bestand", ["Bestand"], 1, 1),
        ("de:energie+kleinstadt", ["Energie", "Kleinstadt"], 2, 2),
    ]


def test_the_preview_counts_who_gets_which_variant_and_shows_any(
    by_topics: tuple[Publication, dict[str, int]],
) -> None:
    publication, _ = by_topics
    shown = publication.run(
        "issue", "preview", "2026-11-26", "--no-open", "--no-collect", "--json",
        "--variant", "de:bestand",
    ).json  # fmt: skip
    assert shown["variant"] == 1
    assert [(one["variant"], one["items"], one["readers"]) for one in shown["variants"]] == [
        ("de", 3, 2),
        ("de:bestand", 1, 1),
        ("de:energie+kleinstadt", 2, 2),
    ]
    html = (publication.home / "var/issues/2026-11-26/issue.html").read_text(encoding="utf-8")
    assert "aus Bestand" in html
    assert "aus Energie" not in html
    page = (publication.home / "var/issues/2026-11-26/preview.html").read_text(encoding="utf-8")
    assert page.count('href="variant-') == 2
    other = (publication.home / "var/issues/2026-11-26/variant-2.html").read_text(encoding="utf-8")
    assert "aus Energie" in other
    assert "aus Bestand" not in other


def test_an_unknown_variant_is_refused_with_those_that_there_are(
    by_topics: tuple[Publication, dict[str, int]],
) -> None:
    publication, _ = by_topics
    rendered = preview(publication.context())
    with pytest.raises(IssueError, match="de:bestand"):
        find_variant(ISSUE, rendered.revision.manifest.variants, "de:sport")
    assert find_variant(ISSUE, rendered.revision.manifest.variants, "2") == 2


def test_the_request_for_an_approval_lists_the_variants_with_their_readers_and_links(
    by_topics: tuple[Publication, dict[str, int]], clock: Clock
) -> None:
    publication, _ = by_topics
    context = publication.context()
    page = approval_page(context, preview(context), until=clock.now + timedelta(hours=1))
    links = re.findall(
        r"\[([^]]*)\]\(<\S+\?variant=(\d)>\): (\d) Meldung(?:en)?, (\d) Person", page
    )
    assert links == [
        ("ohne Auswahl: alle Meldungen", "0", "3", "2"),
        ("Energie, Kleinstadt", "2", "2", "2"),
        ("Bestand", "1", "1", "1"),
    ]


def test_a_choice_made_after_the_approval_voids_nothing_and_gets_what_it_may(
    by_topics: tuple[Publication, dict[str, int]],
) -> None:
    publication, readers = by_topics
    context = publication.context()
    _, rendered = approve_issue(context)
    choose(context, readers["anna"], "Bestand")  # a set that has a variant
    choose(context, readers["cem"], "Energie")  # a set that has none
    choose(context, readers["bert"])
    again = compose.compose_issue(context, ISSUE)
    assert again.revision_id == rendered.revision_id
    assert again.approved
    assert compose.edits_since(context, again) == ()
    send.enqueue(context, rendered)
    choose(context, readers["dora"], "Bestand")  # too late
    send.deliver_issue(context, ISSUE)
    got = received(publication)
    assert got["anna"] == {"Bestand"}
    assert got["cem"] == set(TOPICS)
    assert got["bert"] == set(TOPICS)
    assert got["dora"] == {"Energie", "Kleinstadt"}


def test_a_request_that_waits_is_not_overtaken_by_somebodys_choice(
    by_topics: tuple[Publication, dict[str, int]],
) -> None:
    publication, readers = by_topics
    context = publication.context()
    rendered = preview(context)
    approval.request_approval(context, ISSUE, rendered.revision_id, run="run-1")
    choose(context, readers["anna"], "Energie")
    assert compose.compose_issue(context, ISSUE).revision_id == rendered.revision_id


def test_a_rejection_holds_whatever_readers_choose(
    by_topics: tuple[Publication, dict[str, int]],
) -> None:
    publication, readers = by_topics
    context = publication.context()
    rendered = preview(context)
    approval.reject(context, ISSUE, rendered.revision_id, by="Anna")
    choose(context, readers["anna"], "Energie")
    again = compose.compose_issue(context, ISSUE)
    assert (again.revision_id, again.approved) == (rendered.revision_id, False)


def test_an_issue_that_lay_in_the_mailbox_takes_the_present_choices_when_it_goes_to_readers(
    by_topics: tuple[Publication, dict[str, int]],
) -> None:
    publication, readers = by_topics
    context = publication.context()
    send_issue(context)
    choose(context, readers["anna"], "Energie")
    issues.take_back_from_mailbox(
        context.store, ISSUE, by="Anna", reason="a relay is set", now=context.clock()
    )
    again = compose.compose_issue(context, ISSUE)
    assert not again.approved
    assert "de:energie" in [one.key for one in again.manifest.variants.all]


def test_a_preview_that_nobody_decided_about_follows_the_choices(
    by_topics: tuple[Publication, dict[str, int]],
) -> None:
    publication, readers = by_topics
    context = publication.context()
    before = preview(context)
    choose(context, readers["anna"], "Energie")
    after = preview(context)
    assert after.revision_id != before.revision_id
    assert "de:energie" in [one.key for one in after.revision.manifest.variants.all]


def test_another_text_after_the_approval_takes_the_present_choices(
    by_topics: tuple[Publication, dict[str, int]],
) -> None:
    publication, readers = by_topics
    context = publication.context()
    approve_issue(context)
    choose(context, readers["anna"], "Energie")
    path = next((publication.home / "content/essays").glob("*.md"))
    path.write_text(path.read_text(encoding="utf-8") + "Noch ein Satz.\n", encoding="utf-8")
    revision = compose.compose_issue(context, ISSUE)
    assert not revision.approved
    assert "de:energie" in [one.key for one in revision.manifest.variants.all]


def test_without_choices_an_issue_is_what_it_was_byte_for_byte(publication: Publication) -> None:
    write_essay_with(publication, [])
    add_readers(publication, anna=(), bert=("Bestand",))
    context = publication.context()
    plain = compose.compose_issue(context, ISSUE)
    offer(publication)
    again = compose.compose_issue(publication.context(), ISSUE)
    assert again.revision_id == plain.revision_id
    assert not again.manifest.variants


def test_one_variant_at_the_most_gives_everybody_all_items(publication: Publication) -> None:
    offer(publication, variants="1")
    add_readers(publication, **READERS)
    context = publication.context()
    write_essay_with(publication, publish(context))
    send_issue(context)
    assert set(map(frozenset, received(publication).values())) == {frozenset(TOPICS)}


def test_where_no_item_fits_readers_get_the_essays_alone(publication: Publication) -> None:
    offer(publication)
    add_readers(publication, anna=(), bert=("Energie",))
    context = publication.context()
    write_essay_with(publication, publish(context, ["Bestand"]))
    status = send_issue(context)
    assert status.sent == 2
    assert received(publication) == {"anna": {"Bestand"}, "bert": set()}


def test_the_topics_of_an_issue_still_say_who_gets_it_at_all(publication: Publication) -> None:
    offer(publication, topics='["Bestand"]')
    add_readers(publication, **READERS)
    context = publication.context()
    write_essay_with(publication, publish(context))
    everybody = readership(context, compose.compose_issue(context, ISSUE))
    assert everybody.audience == 3
    assert send_issue(context).audience == 3
    assert received(publication) == {
        "anna": set(TOPICS),
        "bert": {"Bestand"},
        "emil": set(TOPICS),
    }


def test_an_item_counts_as_told_once_a_variant_that_went_out_had_it(
    publication: Publication, clock: Clock
) -> None:
    offer(publication)
    readers = add_readers(publication, bert=("Bestand",), cem=("Energie",))
    context = publication.context()
    links = publish(context)
    write_essay_with(publication, links)
    send_issue(context)
    assert received(publication) == {"bert": {"Bestand"}, "cem": {"Energie"}}
    assert issues.used_items(context.store, links) == set(links[:2])
    clock.now += timedelta(days=7)
    choose(context, readers["bert"], "Kleinstadt")
    write_essay_with(publication, links, "Was vom Bahnhof bleibt, Folge 2")
    composed = compose.compose_issue(context, IssueId.parse("2026-12-03"))
    assert [one.story.lead.link for one in composed.manifest.issue.related] == links[2:]


def test_explain_says_why_a_reader_gets_an_item_or_not(
    by_topics: tuple[Publication, dict[str, int]],
) -> None:
    publication, readers = by_topics
    context = publication.context()
    approve_issue(context)
    explained = explain_reader(context, ISSUE, readers["cem"])
    assert explained.variant == "de:energie+kleinstadt"
    gets = {item.related.story.lead.feed: item.gets for item in explained.items}
    assert gets == {"Blatt Bestand": False, "Blatt Energie": True, "Blatt Kleinstadt": True}
    assert "Energie" in str(explained.items[1].why)
    choose(context, readers["cem"], "Energie")
    assert explain_reader(context, ISSUE, readers["cem"]).number == 0
    publication.run("issue", "explain", "2026-11-26", "--subscriber", "999", code=1)
    shown = publication.run(
        "issue", "explain", "2026-11-26", "--subscriber", str(readers["bert"]), "--json"
    ).json
    assert [item["gets"] for item in shown["items"]] == [True, False, False]
    assert (
        "Bestand"
        in publication.run(
            "issue", "explain", "2026-11-26", "--subscriber", str(readers["bert"])
        ).out
    )


def test_explain_tells_what_was_queued_not_what_was_chosen_since(
    by_topics: tuple[Publication, dict[str, int]],
) -> None:
    publication, readers = by_topics
    context = publication.context()
    send_issue(context)
    choose(context, readers["bert"], "Energie")
    assert explain_reader(context, ISSUE, readers["bert"]).variant == "de:bestand"


def test_a_second_sending_gives_the_same_variant(
    by_topics: tuple[Publication, dict[str, int]],
) -> None:
    publication, readers = by_topics
    context = publication.context()
    send_issue(context)
    choose(context, readers["bert"], "Energie")
    with context.store.writing() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET state = 'unknown'")
        connection.exec_driver_sql("UPDATE issues SET sent = 0, unknown = 5")
    for path in (publication.home / "var/mailbox/new").glob("*"):
        path.unlink()
    publication.run("issue", "resend", "2026-11-26", "--state", "unknown", "--json")
    assert received(publication)["bert"] == {"Bestand"}
    status = issue_status(context, ISSUE)
    assert (status.sent, status.counts.get(DeliveryState.UNKNOWN, 0)) == (5, 0)
    assert [
        one.counts[DeliveryState.SENT] for one in issues.variant_sums(context.store, ISSUE)
    ] == [
        2,
        1,
        2,
    ]


def test_a_preview_link_shows_any_variant(
    by_topics: tuple[Publication, dict[str, int]], clock: Clock
) -> None:
    publication, _ = by_topics
    context = publication.context()
    rendered = preview(context)
    page = approval_page(context, rendered, until=clock.now + timedelta(hours=1))
    found = re.search(r"/preview/([A-Za-z0-9_.-]+)\)", page)
    assert found is not None
    from upcycle_news.services.issues.preview_link import preview_html

    pages = [preview_html(context, found[1], number) for number in (0, 1, 99)]
    assert all(pages)
    shown = [set(re.findall(r"Meldung 1 aus (\w+)", str(one))) for one in pages]
    assert shown == [set(TOPICS), {"Bestand"}, set(TOPICS)]


def test_explain_says_of_those_who_get_no_mail_that_they_get_none(
    by_topics: tuple[Publication, dict[str, int]],
) -> None:
    publication, readers = by_topics
    context = publication.context()
    approve_issue(context)
    publication.run("subscribers", "unsubscribe", "bert@example.org")
    publication.run("subscribers", "suppress", "cem@example.org")
    for name in ("bert", "cem"):
        assert explain_reader(context, ISSUE, readers[name]).number is None
    assert explain_reader(context, ISSUE, readers["dora"]).number is not None


def test_a_key_names_its_variant_in_any_order_and_case(
    by_topics: tuple[Publication, dict[str, int]],
) -> None:
    publication, _ = by_topics
    variants = preview(publication.context()).revision.manifest.variants
    number = find_variant(ISSUE, variants, "de:energie+kleinstadt")
    assert find_variant(ISSUE, variants, "de:Kleinstadt+Energie") == number


def test_a_test_mail_shows_the_variant_that_was_asked_for(
    by_topics: tuple[Publication, dict[str, int]],
) -> None:
    publication, _ = by_topics
    publication.run("issue", "preview", "2026-11-26", "--no-open", "--no-collect")
    publication.run(
        "issue", "send", "2026-11-26", "--test", "probe@example.org", "--variant", "de:bestand"
    )
    assert received(publication) == {"probe": {"Bestand"}}
    publication.run("issue", "send", "2026-11-26", "--variant", "de:bestand", code=2)
    assert received(publication) == {"probe": {"Bestand"}}


def test_the_status_of_each_variant_in_the_mailbox_claims_no_sending(
    by_topics: tuple[Publication, dict[str, int]],
) -> None:
    publication, _ = by_topics
    send_issue(publication.context())
    lines = publication.run("issue", "status", "2026-11-26").out.splitlines()
    variants = [line for line in lines if line.startswith("  de")]
    assert len(variants) == 3
    assert all("Postfach" in line for line in variants)
