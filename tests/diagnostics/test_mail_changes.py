"""What is seen of a mail that was changed on its way, and what is not a change."""

from __future__ import annotations

from email import policy
from email.generator import BytesGenerator
from email.message import EmailMessage
from email.utils import formatdate
from html import escape
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.diagnostics.mail_changes import UNCHANGED, MailChanges, compare_mails

LINKS = (
    "https://umbaupost.example.net/",
    "https://umbaupost.example.net/?a=1&b=2#c",
    "mailto:post@umbaupost.example.net",
    "https://umbaupost.example.net/unsubscribe/AbCd-_09",
)
WORDS = "Diese Prüfmail sagt – wörtlich: „Größe allein löst nichts.“"
TRACKER = "https://click.tracker.example/"
PIXEL = '<img src="https://open.tracker.example/o.gif" width="1" height="1" alt="">'


def mail(
    links: tuple[str, ...] = LINKS,
    *,
    html_links: tuple[str, ...] | None = None,
    html_end: str = "",
    text_end: str = "",
    encoding: str = "quoted-printable",
    **headers: str,
) -> bytes:
    """Return a mail with these links in both parts, and what was added to each."""
    message = EmailMessage(policy=policy.SMTP)
    for name, value in {
        "From": "Umbaupost <post@umbaupost.example.net>",
        "To": "bounces@umbaupost.example.net",
        "Subject": "[doctor --read-back] 0123456789abcdef",
        "Date": formatdate(0),
        "Message-ID": "<1@umbaupost.example.net>",
        "List-Unsubscribe": f"<{LINKS[3]}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }.items():
        message[name] = value
    text = "\n\n".join((WORDS, *links)) + "\n" + text_end
    anchors = "".join(f'<p><a href="{escape(link)}">Link</a></p>' for link in html_links or links)
    html = f"<html><body><p>{WORDS}</p>{anchors}{html_end}</body></html>"
    message.set_content(text, cte=encoding)
    message.add_alternative(html, subtype="html", cte=encoding)
    return message.as_bytes()


@pytest.mark.parametrize("encoding", ["quoted-printable", "base64", "8bit"])
def test_another_encoding_and_the_relays_own_headers_are_no_change(encoding: str) -> None:
    received = b"Received: from relay.example\r\nX-Spam: no\r\n" + mail(
        encoding=encoding,
        Message_ID="<another@relay.example>",
        Date=formatdate(3600),
    )
    assert compare_mails(mail(), received) == UNCHANGED


def test_headers_that_are_folded_otherwise_are_no_change() -> None:
    sent = mail()
    folded = sent.replace(b"List-Unsubscribe: <", b"List-Unsubscribe:\r\n\t<")
    assert folded != sent
    assert compare_mails(sent, folded) == UNCHANGED


def test_marks_that_a_provider_takes_out_of_links_are_no_change() -> None:
    sent = mail().replace(b"<a href", b"<a ses:no-track href")
    assert compare_mails(sent, mail()) == UNCHANGED


@given(st.sets(st.integers(0, len(LINKS) - 1), min_size=1))
def test_every_rewritten_link_is_counted_in_the_part_where_it_is(places: set[int]) -> None:
    rewritten = tuple(
        f"{TRACKER}{place}" if place in places else link for place, link in enumerate(LINKS)
    )
    both = compare_mails(mail(), mail(rewritten))
    assert both.html.links == both.text.links == len(places)
    assert both.html.added_links == both.html.loaded == both.html.added_words == 0
    assert both.hosts == ("click.tracker.example",)
    html_only = compare_mails(mail(), mail(html_links=rewritten))
    assert (html_only.html.links, html_only.text.links) == (len(places), 0)


def test_parameters_added_to_a_link_make_it_another_link() -> None:
    counted = (f"{LINKS[0]}?utm_source=provider", *LINKS[1:])
    assert compare_mails(mail(), mail(counted)).html.links == 1


@given(st.integers(1, 3))
def test_every_pixel_is_counted_and_its_host_named(count: int) -> None:
    changes = compare_mails(mail(), mail(html_end=PIXEL * count))
    assert changes.html.loaded == count
    assert changes.hosts == ("open.tracker.example",)
    assert (changes.html.links, changes.html.added_words) == (0, 0)
    assert changes.text == UNCHANGED.text


@pytest.mark.parametrize(
    "hidden",
    [
        '<div style="background:url(https://open.tracker.example/b.gif)"></div>',
        '<table background="https://open.tracker.example/b.gif"><tr><td></td></tr></table>',
        "<style>p{background:url('https://open.tracker.example/b.gif')}</style>",
        '<link rel="stylesheet" href="https://open.tracker.example/b.css">',
    ],
)
def test_a_pixel_need_not_be_an_image(hidden: str) -> None:
    changes = compare_mails(mail(), mail(html_end=hidden))
    assert (changes.html.loaded, changes.hosts) == (1, ("open.tracker.example",))


@given(st.lists(st.from_regex(r"[a-zäöü]{1,12}", fullmatch=True), min_size=1, max_size=20))
def test_the_words_of_a_footer_are_counted_in_the_part_where_it_is(words: list[str]) -> None:
    footer = " ".join(words)
    changes = compare_mails(mail(), mail(html_end=f"<p>{footer}</p>"))
    assert (changes.html.added_words, changes.html.lost_words) == (len(words), 0)
    assert changes.text == UNCHANGED.text
    changes = compare_mails(mail(), mail(text_end=f"\n{footer}\n"))
    assert changes.text.added_words == len(words)
    assert changes.html == UNCHANGED.html


def test_a_footer_with_a_link_of_its_own_rewrites_none_of_ours() -> None:
    footer = f'<p>Gesendet mit <a href="{TRACKER}leave">Anbieter</a></p>'
    changes = compare_mails(mail(), mail(html_end=footer))
    assert (changes.html.links, changes.html.added_links, changes.html.added_words) == (0, 1, 3)


@given(links=st.booleans(), pixel=st.booleans(), footer=st.booleans(), header=st.booleans())
def test_each_kind_of_change_is_told_from_the_others(
    links: bool, pixel: bool, footer: bool, header: bool
) -> None:
    received = mail(
        (*(f"{TRACKER}{link}" for link in LINKS[:2]), *LINKS[2:]) if links else LINKS,
        html_end=(PIXEL if pixel else "") + ("<p>Abmelden</p>" if footer else ""),
        **({"List_Unsubscribe": f"<{TRACKER}leave>"} if header else {}),
    )
    changes = compare_mails(mail(), received)
    assert (
        bool(changes.html.links),
        bool(changes.html.loaded),
        bool(changes.html.added_words),
        changes.headers,
    ) == (links, pixel, footer, ("List-Unsubscribe",) if header else ())
    assert (changes == UNCHANGED) == (not any((links, pixel, footer, header)))


def test_words_that_are_gone_or_stand_elsewhere_are_seen() -> None:
    sent = mail(encoding="8bit")
    lost = sent.replace(b"allein ", b"")
    assert lost != sent
    changes = compare_mails(sent, lost)
    assert (changes.html.lost_words, changes.text.lost_words) == (1, 1)
    moved = sent.replace("allein löst".encode(), "löst allein".encode())
    assert moved != sent
    changes = compare_mails(sent, moved)
    assert (changes.html.reordered, changes.text.reordered) == (True, True)
    assert changes.html.lost_words == 0


def test_a_part_that_is_gone_is_seen() -> None:
    plain = EmailMessage(policy=policy.SMTP)
    plain["From"] = "Umbaupost <post@umbaupost.example.net>"
    plain.set_content("\n\n".join((WORDS, *LINKS)) + "\n")
    changes = compare_mails(mail(), plain.as_bytes())
    assert (changes.html.missing, changes.text) == (True, UNCHANGED.text)
    assert changes.headers == ("List-Unsubscribe", "List-Unsubscribe-Post")


def test_a_sender_that_was_replaced_is_seen() -> None:
    received = mail(From="Umbaupost <post@free.provider.example>")
    assert compare_mails(mail(), received) == MailChanges(headers=("From",))


@given(st.binary(max_size=400))
def test_whatever_arrives_is_compared(tail: bytes) -> None:
    whole = mail()
    for received in (tail, whole[: len(whole) // 2] + tail, whole + tail):
        compare_mails(whole, received)


@pytest.mark.parametrize(
    "received",
    [
        b"Content-Type: message/rfc822\r\n\r\n" * 5000,
        b"".join(
            b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (depth, depth)
            for depth in range(2000)
        ),
        b'Content-Type: text/html; charset="idna"\r\n\r\n\xff\xff',
    ],
)
def test_what_no_parser_can_read_has_none_of_our_parts(received: bytes) -> None:
    changes = compare_mails(mail(), received)
    assert (changes.html.missing, changes.text.missing) == (True, True)
    assert "List-Unsubscribe" in changes.headers


def test_a_mail_that_was_written_anew_by_a_server_is_the_same() -> None:
    from email import message_from_bytes

    out = BytesIO()
    BytesGenerator(out, policy=policy.SMTP.clone(max_line_length=60)).flatten(
        message_from_bytes(mail(), policy=policy.SMTP)
    )
    assert compare_mails(mail(), out.getvalue()) == UNCHANGED
