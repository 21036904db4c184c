"""`essay new` and `essay list`."""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import patch

import pytest

from ..publications import Publication, today

TITLE = "Was vom Bahnhof bleibt"


def test_a_new_essay_is_a_readable_draft_and_never_overwritten(
    publication: Publication, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "gitconfig"
    config.write_text("[user]\n\tname = Mathilde Übersee\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    path = publication.run("essay", "new", TITLE, "--topic", "bestand", "--topic", "bahn").out
    assert path == f"content/essays/{today()}-was-vom-bahnhof-bleibt.md\n"
    [row] = publication.run("essay", "list", "--json").lines
    assert row == {
        "slug": "was-vom-bahnhof-bleibt",
        "status": "draft",
        "issue": None,
        "title": TITLE,
        "author": "Mathilde Übersee",
        "date": today(),
        "topics": ["bestand", "bahn"],
        "file": path.strip(),
    }
    written = (publication.home / path.strip()).read_bytes()
    again = publication.run("essay", "new", TITLE, code=1)
    assert "Nehmen Sie einen anderen Titel" in again.err
    other_day = publication.run("essay", "new", TITLE, "--date", "2026-01-02", code=1)
    assert "Nehmen Sie einen anderen Titel" in other_day.err
    assert (publication.home / path.strip()).read_bytes() == written


def test_a_new_essay_opens_in_the_configured_editor(publication: Publication) -> None:
    with patch.dict(os.environ, {"EDITOR": "sed -i s/Hier/Dort/", "VISUAL": ""}):
        path = publication.run("essay", "new", TITLE, "--open").out.strip()
    assert "Dort beginnt der Essay." in (publication.home / path).read_text()
    with patch.dict(os.environ, {"EDITOR": "", "VISUAL": ""}):
        result = publication.run("essay", "new", "Noch einer", "--open", code=1)
    assert "Nennen Sie Ihres in EDITOR" in result.err
    assert (publication.home / result.out.strip()).is_file()


def test_the_list_names_drafts_published_essays_and_broken_files(
    publication: Publication,
) -> None:
    publication.write_essay("Gedruckt")
    publication.add_many_subscribers(1)
    issue = publication.run("issue", "send", "--yes", "--json").json["issue"]
    publication.write_essay("Kommt")
    publication.write_essay("Kaputt", date="gestern")
    publication.run("essay", "new", "Entwurf")
    rows = {
        row["slug"]: (row["status"], row.get("issue"))
        for row in publication.run("essay", "list", "--json").lines
    }
    planned = publication.run("issue", "plan", "--json").json["issues"][0]["issue"]
    assert rows == {
        "gedruckt": ("published", issue),
        "kommt": ("planned", planned),
        "entwurf": ("draft", None),
        None: ("broken", None),
    }
    output = publication.run("essay", "list").out
    assert "kaputt    content/essays/gestern-kaputt.md:4: „date“ ist kein Datum" in output


def test_an_empty_list_of_essays_says_how_to_begin(publication: Publication) -> None:
    assert "essay new" in publication.run("essay", "list").out
