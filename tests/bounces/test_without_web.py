"""A purely headless install: nobody answers on the web, and everybody can still leave."""

from __future__ import annotations

import re
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.models import EmailAddress, SubscriberStatus
from upcycle_news.storage import subscribers

from ..publications import (
    Publication,
    add_confirmed_subscribers,
    parse_mail,
    send_issue,
)

MAIL_ONLY = {
    "PUBLICATION__PUBLIC_URL": "",
    "SENDER__UNSUBSCRIBE_MAILTO": "abbestellen@umbaupost.example.net",
    "INBOX__MAILDIR": "inbox",
}


def status(context: AppContext, address: str) -> SubscriberStatus:
    person = subscribers.find(context.store, EmailAddress.parse(address))
    assert person is not None
    return person.status


def test_readers_leave_by_a_mail_that_carries_their_token(publication: Publication) -> None:
    for name in ("tmp", "new", "cur"):
        (publication.home / "inbox" / name).mkdir(parents=True)
    context = publication.context(**MAIL_ONLY)
    add_confirmed_subscribers(context, "anna@example.org", "bert@example.org")
    publication.write_essay()
    assert send_issue(context).closed
    for mail in publication.mails():
        message = parse_mail(mail)
        assert "List-Unsubscribe-Post" not in message
        [out] = re.findall(r"<([^>]+)>", message["List-Unsubscribe"])
        assert re.fullmatch(r"mailto:abbestellen@umbaupost\.example\.net\?subject=[\w-]{43}", out)
        plain = message.get_body(("plain",))
        assert plain is not None and out in plain.get_content()
        assert "newsletter.invalid" not in mail.decode()
    address, _, subject = out.removeprefix("mailto:").partition("?subject=")
    (publication.home / "inbox/new/1.here").write_text(
        f"From: irgendwer@example.org\nTo: {address}\nSubject: {subject}\n\n\n", encoding="utf-8"
    )
    assert publication.run("bounces", "collect", "--json", **MAIL_ONLY).json["unsubscribed"] == 1
    left = [status(context, who) for who in ("anna@example.org", "bert@example.org")]
    assert sorted(left) == [SubscriberStatus.CONFIRMED, SubscriberStatus.UNSUBSCRIBED]


def test_a_page_elsewhere_collects_links_and_they_are_taken_over(publication: Publication) -> None:
    context = publication.context(**MAIL_ONLY)
    add_confirmed_subscribers(context, "anna@example.org", "bert@example.org")
    publication.run("subscribers", "links", "links.csv", **MAIL_ONLY)
    path = publication.home / "links.csv"
    assert path.stat().st_mode & 0o777 == 0o600
    row = path.read_text(encoding="utf-8").splitlines()[1].split(",")
    assert row[0] == "anna@example.org"
    Path("left.txt").write_text(f"{row[1]}\nunsinn\n{'A' * 43}\n", encoding="utf-8")
    done = publication.run("subscribers", "links", "--leave", "left.txt", **MAIL_ONLY)
    assert done.out == "1 ausgetragen; 2 Zeilen sind keine Links von uns.\n"
    assert status(context, "anna@example.org") is SubscriberStatus.UNSUBSCRIBED
    assert status(context, "bert@example.org") is SubscriberStatus.CONFIRMED


def test_check_says_how_readers_leave_and_refuses_when_they_cannot(
    publication: Publication,
) -> None:
    publication.write_essay()
    publication.add_subscribers("anna@example.org")
    assert "mit einem Klick unter https://umbaupost.example.net" in publication.run("check").err
    assert "per Mail an abbestellen@" in publication.run("check", **MAIL_ONLY).err
    nothing = {"PUBLICATION__PUBLIC_URL": ""}
    done = publication.run("check", code=1, **nothing)
    assert "public-url-missing" in done.out and "nicht abmelden" in done.err
    half = {**nothing, "SENDER__UNSUBSCRIBE_MAILTO": "abbestellen@umbaupost.example.net"}
    assert "public-url-missing" in publication.run("issue", "send", "--yes", code=1, **half).output
