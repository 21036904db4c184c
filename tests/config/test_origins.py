"""Where each setting came from, with secrets masked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from upcycle_news.config.origins import Origin, has_password, mask_password

from ..publications import Publication

SECRET = "Geheim-4711"


def told(publication: Publication, **environment: str) -> dict[str, Origin]:
    done = publication.run("doctor", "--settings", "--json", **environment)
    assert SECRET not in done.output
    assert SECRET not in publication.run("doctor", "--settings", **environment).output
    return {
        one["key"]: Origin(one["key"], one["value"], one["from"], one["where"]) for one in done.json
    }


def test_each_setting_names_its_origin(publication: Publication, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text(SECRET)
    found = told(
        publication,
        RELAYS__MAIN__HOST="smtp.example.org",
        RELAYS__MAIN__PASSWORD_FILE=str(secret),
        INBOX__PASSWORD=SECRET,
        QUOTAS__DOMAINS=json.dumps({"gmx.de": ["30/min"]}),
    )
    assert found["publication.timezone"].kind == "default"
    name = found["publication.name"]
    assert (name.value, name.kind, name.where) == (
        "Umbaupost",
        "newsletter.toml",
        "newsletter.toml:2",
    )
    host = found["relays.main.host"]
    assert (host.value, host.kind, host.where) == (
        "smtp.example.org",
        "environment",
        "UPCYCLE_NEWS_RELAYS__MAIN__HOST",
    )
    password = found["relays.main.password"]
    assert (password.value, password.kind) == ("********", "file")
    assert password.where == "UPCYCLE_NEWS_RELAYS__MAIN__PASSWORD_FILE"
    assert found["inbox.password"].value == "********"
    assert found["dkim.rsa_key"].value == ""
    assert found["relays.main.port"].kind == "default"
    domains = found["quotas.domains.gmx.de"]
    assert (domains.value, domains.where) == (["30/min"], "UPCYCLE_NEWS_QUOTAS__DOMAINS")


def test_for_people_it_is_a_line_each(publication: Publication) -> None:
    lines = publication.run("doctor", "--settings").out.splitlines()
    assert "publication.name = 'Umbaupost'  (newsletter.toml:2)" in lines
    assert "web.port = 8040  (default)" in lines


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///var/upcycle.db", "sqlite:///var/upcycle.db"),
        ("postgresql+psycopg://news@db/news", "postgresql+psycopg://news@db/news"),
        (f"postgresql+psycopg://news:{SECRET}@db/n", "postgresql+psycopg://news:********@db/n"),
        (f"postgresql+psycopg://db/n?password={SECRET}", "postgresql+psycopg://db/n?…"),
        (f"postgresql://a:{SECRET}@b@db/n", "postgresql://a:********@db/n"),
    ],
)
def test_the_stores_password_is_masked(url: str, shown: str) -> None:
    assert mask_password(url) == shown
    assert has_password(url) == (SECRET in url)


def test_a_password_of_the_store_in_git_is_red(publication: Publication) -> None:
    path = publication.home / "newsletter.toml"
    path.write_text(f'store = "postgresql+psycopg://n:{SECRET}@db.invalid/n"\n' + path.read_text())
    done = publication.run("doctor", "settings", "--json", code=1)
    [line] = [one for one in done.json["groups"]["settings"] if one["state"] == "problem"]
    assert "newsletter.toml:1 holds the password" in line["found"]
    assert SECRET not in done.output
