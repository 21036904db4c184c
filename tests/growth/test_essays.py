"""Essays that stay as they are cost a look at their files: they are neither parsed nor checked again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from upcycle_news.content import essays

from ..publications import Publication, create_publication, today
from ..rendering.sample_manifest import png

COMMANDS = (("check",), ("essay", "list"), ("issue", "plan"), ("doctor", "--offline"))
FEW = 5


def run(publication: Publication, *command: str, code: int = 0) -> str:
    return publication.run(*command, code=code, HOME=str(publication.home)).out


class Parsed:
    """Counts how many texts of Markdown are parsed, and how many heads of essays."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.texts = self.heads = 0
        parse_markdown, parse_file = MarkdownIt.parse, essays._parse

        def count_text(*arguments: object) -> object:
            self.texts += 1
            return parse_markdown(*arguments)  # type: ignore[arg-type]

        def count_head(*arguments: object) -> object:
            self.heads += 1
            return parse_file(*arguments)  # type: ignore[arg-type]

        patch.setattr(MarkdownIt, "parse", count_text)
        patch.setattr(essays, "_parse", count_head)
        patch.setattr(essays, "_known", {})

    def of(self, publication: Publication, *command: str, code: int = 0) -> tuple[int, int]:
        """Return how many a command parses that begins with an empty memory."""
        essays._known.clear()
        self.texts = self.heads = 0
        run(publication, *command, code=code)
        return self.heads, self.texts


@pytest.fixture
def parsed() -> Iterator[Parsed]:
    with pytest.MonkeyPatch.context() as patch:
        yield Parsed(patch)


def with_essays(home: Path, count: int) -> Publication:
    """Create a publication with drafts; every third shows a picture."""
    now = datetime.combine(date.fromisoformat(today()), datetime.min.time(), UTC)
    publication = Publication(create_publication(home), lambda: now)
    publication.add_subscribers("reader@example.org")
    (home / "content/images").mkdir(exist_ok=True)
    (home / "content/images/umbau.png").write_bytes(png())
    for number in range(count):
        picture = {"image": "umbau.png", "image_alt": "Ein Umbau"} if number % 3 == 0 else {}
        publication.write_essay(f"Umbau {number}", **picture)
    return publication


def test_a_new_essay_is_parsed_and_the_others_are_not(tmp_path: Path, parsed: Parsed) -> None:
    counts = []
    for count in (FEW, 2 * FEW):
        publication = with_essays(tmp_path / str(count), count)
        assert parsed.of(publication, "check")[0] == count
        publication.write_essay("Das Neue")
        counts.append([parsed.of(publication, *command) for command in COMMANDS])
    assert counts[0] == counts[1]
    assert [heads for heads, _ in counts[0]] == [1, 0, 0, 0]
    assert counts[0][0][1] > 0


def test_what_is_wrong_with_an_old_essay_is_told_each_time(tmp_path: Path, parsed: Parsed) -> None:
    publication = with_essays(tmp_path / "home", FEW)
    old = publication.home / "content/essays/2024-05-02-umbau-1.md"
    old.write_text(old.read_text(encoding="utf-8") + "\n[leer](#nirgends)\n", encoding="utf-8")
    for _ in range(2):
        assert "anchor-dead" in run(publication, "check", code=1)
    broken = old.read_text(encoding="utf-8").replace("author: Redaktion\n", "authr: Redaktion\n")
    old.write_text(broken, encoding="utf-8")
    for _ in range(2):
        assert parsed.of(publication, "check", code=1)[0] in (1, 2)
        assert "umbau-1.md:3" in run(publication, "check", code=1)


def test_a_picture_that_changes_is_checked_again(tmp_path: Path, parsed: Parsed) -> None:
    publication = with_essays(tmp_path / "home", FEW)
    picture = publication.home / "content/images/umbau.png"
    assert "umbau.png" not in run(publication, "check")
    picture.write_bytes(b"no picture")
    assert "umbau.png" in run(publication, "check", code=1)
    picture.unlink()
    assert "umbau.png" in run(publication, "check", code=1)
    picture.write_bytes(png())
    again, after = (parsed.of(publication, "check")[1] for _ in range(2))
    assert again - after > FEW  # of the pictures' own essays, each for several checks
    assert "umbau.png" not in run(publication, "check")
