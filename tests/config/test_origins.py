"""The origin of each setting, with secrets masked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from upcycle_news.config.origins import Origin, has_password, mask_password

from ..publications import Publication

SECRET = "Geheim-4711"


def read_origins(publication: Publication, **environment: str) -> dict[str, Origin]:
    done = publication.run("doctor", "--settings", "--json", **environment)
    assert SECRET not in done.output
    assert SECRET not in publication.run("doctor", "--settings", **environment).output
    return {
        row["key"]: Origin(row["key"], row["value"], row["from"], row["where"]) for row in done.json
    }


def test_each_setting_names_its_origin(publication: Publication, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text(SECRET)
    origins = read_origins(
        publication,
        RELAYS__MAIN__HOST="smtp.example.org",
        RELAYS__MAIN__PASSWORD_FILE=str(secret),
        INBOX__PASSWORD=SECRET,
        QUOTAS__DOMAINS=json.dumps({"gmx.de": ["30/min"]}),
    )
    assert origins["publication.timezone"].kind == "default"
    name = origins["publication.name"]
    assert (name.value, name.kind, name.where) == (
        "Umbaupost",
        "newsletter.toml",
        "newsletter.toml:2",
    )
    host = origins["relays.main.host"]
    assert (host.value, host.kind, host.where) == (
        "smtp.example.org",
        "environment",
        "UPCYCLE_NEWS_RELAYS__MAIN__HOST",
    )
    password = origins["relays.main.password"]
    assert (password.value, password.kind) == ("********", "file")
    assert password.where == "UPCYCLE_NEWS_RELAYS__MAIN__PASSWORD_FILE"
    assert origins["inbox.password"].value == "********"
    assert origins["dkim.rsa_key"].value == ""
    assert origins["relays.main.port"].kind == "default"
    domains = origins["quotas.domains.gmx.de"]
    assert (domains.value, domains.where) == (["30/min"], "UPCYCLE_NEWS_QUOTAS__DOMAINS")


def test_the_settings_are_printed_one_a_line(publication: Publication) -> None:
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


def test_a_store_password_in_the_file_is_a_problem(publication: Publication) -> None:
    path = publication.home / "newsletter.toml"
    path.write_text(f'store = "postgresql+psycopg://n:{SECRET}@db.invalid/n"\n' + path.read_text())
    done = publication.run("doctor", "settings", "--json", code=1)
    [line] = [row for row in done.json["groups"]["settings"] if row["state"] == "problem"]
    assert "newsletter.toml:1 holds the password" in line["found"]
    assert SECRET not in done.output
