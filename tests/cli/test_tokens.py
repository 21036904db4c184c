"""`upcycle-news tokens`: made once, listed without the secret, revoked."""

from __future__ import annotations

import json

import pytest

from upcycle_news.models.api_tokens import ApiScope
from upcycle_news.services.api_tokens.tokens import PREFIX

from ..publications import Publication


def test_a_token_is_printed_once_and_listed_without_it(publication: Publication) -> None:
    assert "Die HTTP-Schnittstelle ist aus" in publication.run("tokens", "list").out
    made = publication.run(
        "tokens", "create", "website", "--scope", "subscribers:write", "--expires", "2099-12-31"
    )
    secret = made.out.strip()
    assert secret.startswith(PREFIX)
    assert "jetzt gezeigt und nie wieder" in made.err
    assert secret not in made.err
    listed = publication.run("tokens", "list").out
    assert "website: gilt bis 31.12.2099, 23:00 UTC; subscribers:write; nie benutzt" in listed
    assert secret not in listed
    [row] = publication.run("tokens", "list", "--json").lines
    assert row["scopes"] == ["subscribers:write"]
    assert row["valid"] is True
    assert secret not in json.dumps(row)


def test_a_token_without_an_end_is_told_so_and_may_have_several_scopes(
    publication: Publication,
) -> None:
    made = publication.run(
        "tokens", "create", "all", "--scope", "issues:read,events:read", "--scope", "issues:send",
        "--json",
    )  # fmt: skip
    assert made.json["scopes"] == ["events:read", "issues:read", "issues:send"]
    assert made.json["token"].startswith(PREFIX)
    made = publication.run("tokens", "create", "other", "--scope", "events:read")
    assert "gilt ohne Ende" in made.err or "hat kein Ende" in made.err


def test_a_revoked_token_stays_listed_and_its_name_is_not_given_again(
    publication: Publication,
) -> None:
    publication.run("tokens", "create", "website", "--scope", "events:read")
    assert "„website“ ist widerrufen" in publication.run("tokens", "revoke", "website").out
    assert "website: widerrufen am" in publication.run("tokens", "list").out
    for name in ("website", "unbekannt"):
        error = publication.run("tokens", "revoke", name, code=1).err
        assert "Kein gültiges Token heißt so" in error
    again = publication.run("tokens", "create", "website", "--scope", "events:read", code=1)
    assert "gibt oder gab es schon" in again.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("Web Site", "--scope", "events:read"), "kleine Buchstaben"),
        (("website", "--scope", "events:write"), "jedes eines von subscribers:read"),
        (("website", "--scope", "*"), "jedes eines von"),
        (("website", "--scope", "events:read", "--expires", "31.12.2099"), "2027-01-31"),
        (("website", "--scope", "events:read", "--expires", "2020-01-01"), "ist vorbei"),
        (("website", "--scope", "events:read", "--expires", "9999-12-31"), "2027-01-31"),
    ],
)
def test_what_no_token_can_have_is_refused(
    publication: Publication, arguments: tuple[str, ...], sentence: str
) -> None:
    assert sentence in publication.run("tokens", "create", *arguments, code=2).err
    assert publication.run("tokens", "list", "--json").out == ""


def test_the_help_names_every_scope(publication: Publication) -> None:
    said = " ".join(publication.run("tokens", "create", "--help").out.split())
    assert [scope for scope in ApiScope if scope not in said] == []
