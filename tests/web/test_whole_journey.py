"""The whole way of one reader in a real browser: from a form on a foreign page to the last click.

Mails are those that arrived at a relay, days pass by the publication's clock, and each page is looked at as a
phone and a desk show it, in light and in dark.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from upcycle_news.app.context import AppContext
from upcycle_news.models import EmailAddress, IssueId, SubscriberStatus
from upcycle_news.models.digest import ReaderRhythm, Rhythm
from upcycle_news.services.subscribers import signup_form
from upcycle_news.services.welcome import send as welcome
from upcycle_news.services.welcome import steps
from upcycle_news.storage import rhythms, subscribers
from upcycle_news.storage.schema import issues

from ..delivery.memory_ledger import Clock
from ..publications import Publication, parse_mail, relay_variables, send_issue
from ..services.issues.digest_readers import send_one
from ..services.issues.topic_items import offer, publish, write_essay_with
from ..transports.bad_relays import MisbehavingRelay
from ..waiting import wait_until
from .browser_session import Page, browsing, missing
from .test_signup_form import AXE, foreign_site
from .test_subscriber_journey import link_with, links
from .web_server import running_server

OLD, NEW, OTHER = "anna@alt.example", "anna@neu.example", "bert@example.org"
WELCOME = "---\nsubject: Willkommen\nafter: 0 days\n---\n\nSchön, dass Sie da sind.\n"
NEWEST = "---\nafter: 0 days\nnewest_issue: true\n---\n"


@dataclass
class Journey:
    """A publication that sends over a relay, and the browser of the reader."""

    publication: Publication
    context: AppContext
    relay: MisbehavingRelay
    page: Page

    def mails(self, to: str, count: int) -> list[bytes]:
        """Wait for the mails to an address, the oldest first; there must be as many."""

        def received() -> list[bytes]:
            return [body for recipient, body in self.relay.accepted if recipient == to]

        wait_until(lambda: len(received()) >= count, "a mail is missing", interval=0.02)
        assert len(received()) == count
        return received()

    def subjects(self, to: str) -> list[str]:
        found = [body for recipient, body in self.relay.accepted if recipient == to]
        return [str(parse_mail(body)["Subject"]) for body in found]

    def look(self, sentence: str) -> None:
        """The page says this, fits a phone and a desk, and axe finds nothing, in light and in dark."""
        assert sentence in self.page.text().replace("\u00a0", " ").replace("&nbsp;", " ")
        for width in (320, 900):
            for dark in (False, True):
                self.page.look(width=width, dark=dark)
                assert self.page.overflow() <= 0
                self.page.run(AXE.read_text(encoding="utf-8") + ";0")
                violations = self.page.run(
                    "axe.run().then(r => r.violations.map(v => v.id + ': ' + "
                    "v.nodes.map(n => n.html).join(' | ')))"
                )
                assert violations == [], (sentence, width, dark)

    def status(self, address: str) -> SubscriberStatus | None:
        found = subscribers.find(self.context.store, EmailAddress(address))
        return None if found is None else found.status


@contextmanager
def journey(publication: Publication, port: int) -> Iterator[tuple[Journey, str]]:
    """A running publication, and the address of the foreign page that shows its form."""
    publication.change_setting("https://umbaupost.example.net", f"http://127.0.0.1:{port}")
    offer(publication)
    settings = {"DIGEST__INTERVAL": "monthly"}
    html = signup_form.form_for_other_sites(publication.context(**settings))
    with MisbehavingRelay() as relay, foreign_site(html) as site, browsing() as page:
        context = publication.context(
            **settings,
            **relay_variables(relay.controller.port),
            WEB__SIGNUP_ORIGINS=f'["{site}"]',
        )
        with running_server(context, port):
            yield Journey(publication, context, relay, page), site


def write_welcome(publication: Publication, context: AppContext) -> None:
    folder: Path = publication.home / "content/welcome"
    folder.mkdir(exist_ok=True)
    (folder / "1-hallo.md").write_text(WELCOME, encoding="utf-8")
    (folder / "2-neueste.md").write_text(NEWEST, encoding="utf-8")
    steps.preview(context)
    steps.approve(context, (), by="Anna")


def at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 7, tzinfo=UTC)


@pytest.mark.chromium
def test_the_whole_way_of_one_reader(publication: Publication, port: int, clock: Clock) -> None:
    if not AXE.is_file():
        missing("no axe-core here (npm ci --prefix tools/node)")
    with journey(publication, port) as (walk, site):
        context, page = walk.context, walk.page
        publication.add_subscribers(OTHER)
        write_welcome(publication, context)

        # The form on a foreign page, which stays where it is.
        page.look(width=320)
        page.open(site)
        walk.look("Wie oft möchten Sie Post bekommen?")
        page.type("input[name=email]", OLD)
        page.tick("input[value=Bestand]")
        page.tick("button")
        wait_until(lambda: "liegt dort gleich eine Mail" in page.text(), "no answer")
        assert page.run("location.origin") == site

        # The mail that arrived, and the button behind its link.
        [asking] = walk.mails(OLD, 1)
        page.open(link_with(links(asking), "/confirm/"))
        walk.look("Nur noch ein Klick")
        assert walk.status(OLD) is SubscriberStatus.PENDING
        page.click("button")
        walk.look("Willkommen!")
        assert walk.status(OLD) is SubscriberStatus.CONFIRMED

        # The welcome, and an issue with the items of the topic that was chosen.
        assert welcome.send_due(context).sent == 1
        write_essay_with(publication, publish(context))
        assert send_issue(context).sent == 2
        issue = walk.mails(OLD, 3)[2]
        text = parse_mail(issue).as_string()
        assert "aus Bestand" in text and "aus Energie" not in text and "aus Klein" not in text
        clock.now += timedelta(hours=1)
        assert welcome.send_due(context).sent == 0  # the newest issue came as an issue

        # Another rhythm: the page names the day, and until then each issue comes by itself.
        page.open(link_with(links(issue), "/preferences/"))
        walk.look("Was Sie jetzt wählen, gilt ab dem 1. Dezember 2026.")
        page.tick("input[name=rhythm][value=digest]")
        page.click("button[value=save]")
        walk.look("Ab dem 1. Dezember 2026 bekommen Sie die Ausgaben gesammelt; bis dahin jede")
        clock.now = at(date(2026, 11, 30))
        publication.write_essay("Vor dem Wechsel")
        assert send_issue(context, "2026-11-30").sent == 2
        clock.now = at(date(2026, 12, 3))
        publication.write_essay("Nach dem Wechsel")
        assert send_issue(context, "2026-12-03").sent == 1
        with context.store.reading() as connection:
            kept = connection.execute(select(issues).where(issues.c.id == "2026-12-03")).one()
        assert (kept.digest_day, kept.left_for_digest) == (date(2027, 1, 1), 1)
        told = walk.subjects(OLD)
        assert len(told) == 4 and "Vor dem Wechsel" in told[3]
        page.open(link_with(links(issue), "/preferences/"))
        walk.look("Die nächste Sammlung kommt am 1. Januar 2027.")

        # Another address: confirmed there, told at the old one, and the rhythm stays.
        page.type("#address", NEW)
        page.click("button[value=address]")
        walk.look("Schauen Sie in das neue Postfach")
        [asking] = walk.mails(NEW, 1)
        page.open(link_with(links(asking), "/address/"))
        walk.look("Diese Adresse verwenden?")
        page.click("button")
        walk.look("Ihre Adresse ist geändert")
        assert "andere Adresse" in str(parse_mail(walk.mails(OLD, 5)[4])["Subject"])
        reader = subscribers.find(context.store, EmailAddress(NEW))
        assert reader is not None and reader.topics == ("Bestand",)
        held = rhythms.rhythm_of(context.store, reader.id, context.today)
        assert held == ReaderRhythm(Rhythm.DIGEST)

        # The digest comes to the new address, with what came out since the switch and nothing from before.
        clock.now = at(date(2027, 1, 1))
        send_one(context, IssueId(date(2027, 1, 1), digest=1))
        digest = walk.mails(NEW, 2)[1]
        text = parse_mail(digest).as_string()
        assert "Nach dem Wechsel" in text and "Vor dem Wechsel" not in text
        assert len(walk.subjects(OTHER)) == 3

        # Leaving with one click, by the link in the last mail.
        page.open(link_with(links(digest), "/unsubscribe/"))
        walk.look("Ein Klick genügt.")
        page.click("button")
        walk.look("Sie sind abgemeldet")
        assert walk.status(NEW) is SubscriberStatus.UNSUBSCRIBED
        clock.now = at(date(2027, 1, 7))
        publication.write_essay("Danach")
        assert send_issue(context, "2027-01-07").sent == 1
        assert (len(walk.subjects(OLD)), len(walk.subjects(NEW))) == (5, 2)
