"""Signatures as a receiver checks them, with dkimpy."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import dkim
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upcycle_news.errors import UpcycleError
from upcycle_news.mail.dkim import (
    DkimSigner,
    KeyPair,
    generate,
    relaxed_body,
)
from upcycle_news.mail.message import MessageTemplate, RecipientFields, SenderHeaders
from upcycle_news.models import (
    EmailAddress,
    IssueId,
    Placeholder,
    RenderedIssue,
)

from ..publications import Publication

RSA, ED25519 = generate("rsa"), generate("ed25519")
SIGNERS = (
    DkimSigner.load("example.org", "news", RSA.pem, "rsa"),
    DkimSigner.load("example.org", "news-ed", ED25519.pem, "ed25519"),
)
SENDER_HEADERS = SenderHeaders(
    from_name="Umbaupost, e. V.",
    from_address="post@example.org",
    envelope_sender="bounces@example.org",
    list_id="newsletter.example.org",
    list_name="Größe & Bestand",
    message_id_domain="example.org",
    reply_to="redaktion@example.org",
    unsubscribe_mailto="weg@example.org",
    feedback_id="umbau:1",
)


def message(text: str = "Guten Tag,\n\n..punkt  zwei\n", signers: Any = SIGNERS) -> bytes:
    rendered = RenderedIssue(
        issue=IssueId.parse("2026-11-26"),
        language="de",
        subject="Was vom Bahnhof bleibt – und warum „Größe“ allein nichts löst, in Kleinstädten",
        html=f"<p>{text}</p>\t  <a href='{Placeholder.UNSUBSCRIBE}'>weg</a>  \n",
        text=f"{text}\n{Placeholder.UNSUBSCRIBE}\n{Placeholder.PREFERENCES}",
        mjml="",
    )
    template = MessageTemplate.compose(rendered, SENDER_HEADERS, revision_id="r", signers=signers)
    return template.for_recipient(
        RecipientFields(
            address=EmailAddress("leserin@example.net"),
            name="Änne  Leserin",
            unsubscribe_url="https://example.org/u/" + "a" * 43 + "?x=1&y=2",
            preferences_url="https://example.org/p/" + "b" * 43,
            message_hash="0123456789abcdef",
            date=datetime(2025, 11, 27, 6, 0, tzinfo=UTC),
        )
    )


def verified(mail: bytes, which: int) -> bool:
    def dns(name: bytes | str, timeout: int = 5) -> bytes:
        asked = name if isinstance(name, str) else name.decode()
        keys: dict[str, KeyPair] = {
            "news._domainkey.example.org.": RSA,
            "news-ed._domainkey.example.org.": ED25519,
        }
        return keys[asked].record.encode()

    try:
        return bool(dkim.DKIM(mail).verify(idx=which, dnsfunc=dns))
    except dkim.DKIMException:
        return False


@pytest.mark.parametrize("which", [0, 1])
def test_a_receiver_accepts_both_signatures(which: int) -> None:
    assert verified(message(), which)


def test_both_unsubscribe_headers_are_signed_and_oversigned() -> None:
    mail = message(signers=SIGNERS[:1])
    unfolded = re.sub(rb"\r\n[ \t]+", b"", mail)
    [covered] = re.findall(rb"\bh=([^;]+);", unfolded)
    names = covered.decode().split(":")
    for name in ("from", "subject", "list-unsubscribe", "list-unsubscribe-post"):
        assert names.count(name) == 2  # a second header of that name breaks the signature
    assert "message-id" in names
    assert "content-type" in names


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"List-Unsubscribe-Post: ", b"X-List-Unsubscribe-Post: "),
        (b"https://example.org/u/", b"https://example.com/u/"),
        (b"Guten Tag", b"Guter Tag"),
        (b"From: ", b"From: <chef@example.org>\r\nFrom: "),
    ],
)
def test_a_changed_message_does_not_verify(old: bytes, new: bytes) -> None:
    mail = message()
    changed = mail.replace(old, new)
    assert changed != mail
    assert not verified(changed, 0)
    assert not verified(changed, 1)


def test_white_space_that_relays_touch_does_not_matter() -> None:
    mail = message().replace(b"MIME-Version: 1.0", b"MIME-Version:   1.0 ")
    assert verified(mail, 0)


@settings(max_examples=40, deadline=None)
@given(st.text(alphabet=" \t\n.=aü<>&;", max_size=200))
def test_every_body_verifies(text: str) -> None:
    assert verified(message(text, SIGNERS[1:]), 0)


@given(st.lists(st.text(alphabet=" \tab", max_size=12), max_size=8))
def test_pieces_made_canonical_one_by_one_are_the_whole_made_canonical(lines: list[str]) -> None:
    pieces = [f"{line}=\r\n".encode() for line in lines]
    assert b"".join(map(relaxed_body, pieces)) == relaxed_body(b"".join(pieces))


def test_without_keys_nothing_is_signed() -> None:
    assert b"DKIM-Signature" not in message(signers=())


@pytest.mark.parametrize(
    ("pem", "kind", "says"),
    [
        ("no key", "rsa", "is not a private key"),
        (RSA.pem, "ed25519", "of another kind"),
        (ED25519.pem, "rsa", "of another kind"),
    ],
)
def test_a_key_that_cannot_sign_is_refused_without_showing_it(
    pem: str, kind: Any, says: str
) -> None:
    with pytest.raises(UpcycleError, match=says) as caught:
        DkimSigner.load("example.org", "news", pem, kind)
    assert "PRIVATE" not in str(caught.value)


def test_a_key_from_an_environment_may_have_its_lines_escaped() -> None:
    escaped = RSA.pem.replace("\n", "\\n")
    assert DkimSigner.load("example.org", "news", escaped, "rsa").selector == "news"


@pytest.mark.parametrize(
    "selector",
    ["herbst 2026", "../../../herbst", "", ".", "a..b", "-a", "a-", "a_b", "ä", "a.", "a" * 64, "a/b", "a\n"],
)  # fmt: skip
def test_a_selector_that_dns_does_not_know_makes_nothing(
    publication: Publication, selector: str
) -> None:
    secrets = publication.home / "var/secrets"
    before = sorted(publication.home.parent.rglob("*.pem"))
    output = publication.run("dkim", "keygen", f"--selector={selector}", code=1).err
    assert "RFC 6376" in output
    assert sorted(publication.home.parent.rglob("*.pem")) == before
    assert not secrets.exists() or not [*secrets.glob("dkim*")]


@pytest.mark.parametrize("selector", ["news2026", "a", "2026.eu-west", "b-2", "A" * 63])
def test_a_selector_of_dns_is_taken(publication: Publication, selector: str) -> None:
    assert selector in publication.run("dkim", "keygen", f"--selector={selector}").out
    publication.run("backup")


def test_a_name_too_long_for_dns_is_refused(publication: Publication) -> None:
    selector = ".".join(["a" * 63] * 4)
    assert "253" in publication.run("dkim", "keygen", "--selector", selector, code=1).err
