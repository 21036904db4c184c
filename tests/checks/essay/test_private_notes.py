"""A private note stops the issue, wherever the essay stands in it, and is in no part of it."""

from __future__ import annotations

import pytest

from ...publications import Publication
from .bodies import findings_of

SECRET = "GEHEIMWORT"


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("Text\n\n%%Name nicht nennen%%", [(3, "error", "private-note")]),
        (
            "Text %%a%% und\nmehr %%b%%",
            [(1, "error", "private-note"), (2, "error", "private-note")],
        ),
        ("Text\n\n%%\nzwei\n\nAbsätze\n%%", [(3, "error", "private-note")]),
        ("Text\n\n%%Name erfragen\n\nMehr", [(3, "error", "private-note")]),
        ("Text <!-- Rechte klären --> mehr", [(1, "error", "private-note")]),
        ("Text <!-- offen", [(1, "error", "private-note")]),
        ("3 % von 4 %, `%%a%%`, \\%%b\\%%", []),
        ("```\n%%a%%\n<!-- b -->\n```", []),
    ],
)
def test_a_private_note_is_an_error_at_its_line(
    body: str, found: list[tuple[int, str, str]]
) -> None:
    assert findings_of(body) == found


def test_a_draft_may_hold_private_notes() -> None:
    assert findings_of("Text %%a%%", status="draft") == []


@pytest.mark.parametrize("note", [f"%%{SECRET}%%", f"%%\n{SECRET}\n%%", f"<!-- {SECRET} -->"])
def test_no_part_of_an_issue_shows_a_private_note_and_it_is_not_sent(
    publication: Publication, note: str
) -> None:
    publication.write_essay("Der erste", date="2024-05-09")
    publication.write_essay("Der zweite", text=f"{note}\n\nDer Laden steht leer.\n\n{note}\n")
    publication.add_many_subscribers(1)
    preview = publication.run("issue", "preview", "--no-open", "--no-collect", "--json")
    assert [finding["code"] for finding in preview.json["findings"]] == ["private-note"] * 2
    for kind in ("html", "text", "eml"):
        part = publication.home / preview.json["files"][kind]
        assert SECRET not in part.read_text(encoding="utf-8")
    assert "private-note" in publication.run("issue", "send", "--yes", code=1).err
    assert publication.mails() == []


def test_a_note_in_a_corrected_essay_is_on_no_page_and_in_no_feed(publication: Publication) -> None:
    slug = publication.write_essay("Der Laden", text="Der Laden steht leer.\n")
    publication.add_many_subscribers(1)
    publication.run("issue", "send", "--yes")
    publication.write_essay(
        "Der Laden", text=f"%%{SECRET}%%\n\nDer Laden steht offen. %%{SECRET}%%\n"
    )
    publication.run("archive", "correct", slug, "--note", "Er steht offen.")
    pages = [path for path in (publication.home / "var/archive").rglob("*") if path.is_file()]
    texts = [path.read_bytes().decode("utf-8", "replace") for path in pages]
    assert any("steht offen" in text for text in texts)
    assert not any(SECRET in text for text in texts)
