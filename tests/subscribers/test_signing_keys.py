"""Rotating and dropping the keys that sign links."""

from __future__ import annotations

import json
import re
import stat

from upcycle_news.subscribers.link_tokens import Purpose

from ..processes import free_port
from ..publications import Publication, approve_issue, send_issue
from ..web.web_server import running_server


def links(publication: Publication) -> list[str]:
    """Return the unsubscribe paths of all mails so far, oldest first."""
    urls = []
    for mail in publication.mails():
        head = re.sub(rb"\r\n[ \t]", b" ", mail.partition(b"\r\n\r\n")[0]).decode()
        urls.append(re.search(r"List-Unsubscribe: .*?<https://[^/]+(/[^>]+)>", head)[1])  # type: ignore[index]
    return urls


def test_links_signed_before_and_after_a_rotation_work_in_a_running_server(
    publication: Publication,
) -> None:
    publication.add_subscribers("alt@example.org")
    publication.write_essay()
    send_issue(publication.context())
    with running_server(publication.context(), free_port()) as server:
        assert server.get(links(publication)[0]).status == 200
        result = publication.run("secrets", "rotate")
        assert result.out == "Der Schlüssel 2 unterschreibt von jetzt an.\n"
        publication.write_essay("Zwei")
        send_issue(publication.context(), "2026-11-26-2")
        old, new = links(publication)
        assert old != new
        assert server.get(new).status == server.get(old).status == 200
        publication.run("secrets", "drop", "1", "--yes")
        assert server.get(old).status == 404
        assert server.post(new, {"List-Unsubscribe": "One-Click"}).status == 200
    assert publication.run("subscribers", "show", "alt@example.org").out.count("unsubscribed")


def test_the_list_of_keys_never_shows_them(publication: Publication) -> None:
    publication.run("secrets", "rotate")
    result = publication.run("secrets", "list", "--json")
    assert [(line["key"], line["signs"]) for line in result.lines] == [(1, False), (2, True)]
    for path in (publication.home / "var/secrets").glob("token-*.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert (
            path.read_text().strip()
            not in result.output + publication.run("secrets", "list").output
        )


def test_a_key_is_dropped_only_when_another_signs_and_no_issue_is_sending(
    publication: Publication,
) -> None:
    publication.add_many_subscribers(2)
    publication.write_essay()
    assert "secrets rotate" in publication.run("secrets", "drop", "1", "--yes", code=1).err
    publication.run("secrets", "rotate")
    assert "Es gibt: 1, 2" in publication.run("secrets", "drop", "7", "--yes", code=1).err
    context = publication.context()
    chosen, rendered = approve_issue(context)
    from upcycle_news.services.delivery import send

    send.enqueue(context, rendered)
    refused = publication.run("secrets", "drop", "1", "--yes", code=1)
    assert "Ausgabe 2026-11-26 wird gerade verschickt" in refused.err
    send.deliver_issue(context, chosen)
    publication.run("secrets", "drop", "1", code=1, typed="n\n")
    assert len(publication.run("secrets", "list").out.splitlines()) == 2
    publication.run("secrets", "drop", "1", code=0, typed="y\n")
    assert [line["key"] for line in publication.run("secrets", "list", "--json").lines] == [2]


def test_the_message_ids_of_an_issue_do_not_change_when_a_key_is_added(
    publication: Publication,
) -> None:
    context = publication.context()
    before = context.message_id_key
    publication.run("secrets", "rotate")
    assert context.message_id_key == publication.context().message_id_key == before
    signer = context.link_signer
    assert signer.read(Purpose.CONFIRM, signer.token(Purpose.CONFIRM, 1)) is not None
    assert max(signer.keys) == 2


def test_rotating_logs_the_key_number_only(publication: Publication) -> None:
    result = publication.run("secrets", "rotate", LOG__FORMAT="json")
    line = json.loads(next(line for line in result.err.splitlines() if line.startswith("{")))
    assert (line["event"], line["key"]) == ("token key created", 2)


def test_no_key_is_created_in_a_store_with_subscribers(publication: Publication) -> None:
    publication.run("subscribers", "add", "anna@example.org", "--consent", "letter, 3 May 2026")
    secrets = publication.home / "var/secrets"
    secrets.rename(publication.home / "elsewhere")
    output = publication.run("subscribers", "forget", "anna@example.org", "--yes", code=1).err
    assert "Die Schlüssel fehlen" in output
    assert not list(secrets.glob("*.key"))
    (publication.home / "elsewhere").rename(secrets)
    publication.run("subscribers", "forget", "anna@example.org", "--yes")
    publication.run("subscribers", "stats")
    (secrets / "person.key").unlink()
    assert "Die Schlüssel fehlen" in publication.run("subscribers", "stats", code=1).err
