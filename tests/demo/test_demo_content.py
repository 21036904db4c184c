"""The essays, images and feeds in content/: what an editor handed in, and how well."""

from __future__ import annotations

import re
import struct
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

CONTENT = Path(__file__).parents[2] / "content"
# The essays of the demo; those that editors add later are not tested here.
ESSAYS = [path for path in sorted((CONTENT / "essays").glob("*.md")) if path.name < "2026-11"]
IMAGES = sorted((CONTENT / "images").glob("*.png"))
KEYS = {"title", "author", "date", "summary", "topics", "image", "image_alt", "status", "language"}


def read(essay: Path) -> tuple[dict[str, Any], str]:
    _, front, body = essay.read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(front), body.strip()


def test_there_are_four_essays_and_the_newest_has_an_image() -> None:
    assert len(ESSAYS) == 4
    assert "image" in read(ESSAYS[-1])[0]


@pytest.mark.parametrize("essay", ESSAYS, ids=lambda path: path.stem)
def test_an_essay_says_who_wrote_it_when_and_about_what(essay: Path) -> None:
    front, _ = read(essay)
    assert front.keys() <= KEYS
    assert front["title"] and front["author"] == "Redaktion upcycle"
    assert date(2026, 8, 1) <= front["date"] < date(2026, 11, 1)
    assert essay.name.startswith(f"{front['date']}-")
    assert set(front["topics"]) <= {"kleinstadt", "bestand", "kreislauf"}
    assert (front["status"], front["language"]) == ("ready", "de")
    assert len(front["summary"]) <= 240


@pytest.mark.parametrize("essay", ESSAYS, ids=lambda path: path.stem)
def test_an_essay_has_the_length_of_an_essay(essay: Path) -> None:
    assert 450 <= len(read(essay)[1].split()) <= 800


@pytest.mark.parametrize("essay", ESSAYS, ids=lambda path: path.stem)
def test_an_essay_is_set_with_german_typography(essay: Path) -> None:
    front, body = read(essay)
    prose = "\n".join([front["title"], front["summary"], front.get("image_alt", ""), body])
    assert not re.search(r"[\"'“”](?=\w)|[\"']|(?<=\w)„| - |\.\.\.", prose)
    assert prose.count("„") == prose.count("“")


@pytest.mark.parametrize("essay", ESSAYS, ids=lambda path: path.stem)
def test_an_essay_links_to_example_org_only(essay: Path) -> None:
    links = re.findall(r"https?://[^)\s]+", read(essay)[1])
    assert all(link.startswith("https://example.org/") for link in links)


@pytest.mark.parametrize("essay", ESSAYS, ids=lambda path: path.stem)
def test_an_image_exists_and_is_described(essay: Path) -> None:
    front, _ = read(essay)
    if "image" in front:
        assert CONTENT / "images" / front["image"] in IMAGES
        assert 40 <= len(front["image_alt"]) <= 300


@pytest.mark.parametrize("image", IMAGES, ids=lambda path: path.name)
def test_an_image_is_light_enough_for_a_mail(image: Path) -> None:
    data = image.read_bytes()
    assert data.startswith(b"\x89PNG")
    assert struct.unpack(">II", data[16:24]) == (1200, 630)
    assert len(data) <= 200_000


def test_every_listed_feed_says_whether_an_editor_has_reviewed_it() -> None:
    feeds = tomllib.loads((CONTENT / "feeds.toml").read_text(encoding="utf-8"))["feeds"]
    assert len(feeds) == len({feed["url"] for feed in feeds}) >= 12
    for feed in feeds:
        assert feed.keys() <= {"name", "url", "topics", "weight", "language", "limit", "active"}
        assert feed["url"].startswith("https://")
        assert isinstance(feed["active"], bool)
