"""`check` looks at the pictures of essays as they lie in content/images."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from upcycle_news.models import Finding
from upcycle_news.rendering.image_metadata import ImageRights, with_rights
from upcycle_news.services.checks.essays import check_essays
from upcycle_news.services.content.files import read_publication_essays

from ...publications import Publication
from ...rendering.sample_manifest import png
from ...rendering.test_image_metadata import iptc_segment, with_segment

OWED = with_rights(png(60, 40), ImageRights("Rosa Beispiel", licence="CC BY 4.0"))
ESSAY = "content/essays/2026-01-05-haus.md"


def findings(publication: Publication) -> list[tuple[str, str]]:
    lines = publication.run("check", "--json").lines
    return [(row["code"], row["where"]) for row in lines if row["code"].startswith("picture")]


def test_a_picture_that_is_owed_to_somebody_is_told_at_its_line(publication: Publication) -> None:
    images = publication.home / "content/images"
    (images / "haus.png").write_bytes(OWED)
    place = with_segment(iptc_segment((110, "Rosa Beispiel, 06108 Halle")))
    (images / "tor.jpg").write_bytes(place)
    path = publication.home / "content/essays/2026-01-05-haus.md"
    text = (
        "---\ntitle: Haus\nauthor: Ute Muster\ndate: 2026-01-05\nsummary: Ein Haus.\nimage: haus.png\n"
        "image_alt: Ein Haus\n---\n\nEin Haus.\n\n![Ein Tor](tor.jpg)\n"
    )
    path.write_text(text, encoding="utf-8")
    assert findings(publication) == [
        ("picture-credit", f"{ESSAY}:6"),
        ("picture-place", f"{ESSAY}:12"),
    ]
    credited = text.replace("Ein Haus\n---", 'Ein Haus\nimage_credit: "Foto: Rosa Beispiel"\n---')
    path.write_text(credited, encoding="utf-8")
    (images / "tor.jpg").write_bytes(with_segment())
    assert findings(publication) == []


def essay_with(publication: Publication, picture: bytes) -> Path:
    """Write an essay with a picture into a publication that keeps what it found; returns the picture's file."""
    (publication.home / "var").mkdir(exist_ok=True)
    file = publication.home / "content/images/haus.png"
    file.write_bytes(picture)
    file.chmod(0o600)
    (publication.home / "content/essays/2026-01-05-haus.md").write_text(
        "---\ntitle: Haus\nauthor: Ute Muster\ndate: 2026-01-05\nsummary: Ein Haus.\n---\n\n"
        "Ein Haus.\n\n![Ein Haus](haus.png)\n",
        encoding="utf-8",
    )
    return file


def test_another_picture_of_the_same_size_and_time_is_checked(publication: Publication) -> None:
    file = essay_with(publication, OWED)
    assert findings(publication) == [("picture-credit", f"{ESSAY}:10")]
    before = file.stat()
    file.write_bytes(png(60, 40).ljust(len(OWED), b"\0"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))  # as `rsync -t` does
    assert findings(publication) == []


def test_a_picture_that_could_not_be_read_is_checked_when_it_can(
    publication: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = essay_with(publication, png(60, 40))
    real = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if path == file:
            raise PermissionError(errno.EACCES, "denied", str(path))
        return real(path)

    with monkeypatch.context() as refused:  # root may read all
        refused.setattr(Path, "read_bytes", read_bytes)
        assert [one.code for one in essay_findings(publication)] == ["image"]
    file.chmod(0o644)
    assert essay_findings(publication) == []


def test_a_cache_that_takes_nothing_keeps_no_picture_from_being_checked(
    publication: Publication,
) -> None:
    essay_with(publication, OWED)
    (publication.home / "var/images").write_text("a file in the way of the folder")
    assert findings(publication) == [("picture-credit", f"{ESSAY}:10")]


def essay_findings(publication: Publication) -> list[Finding]:
    context = publication.context()
    return list(check_essays(context, read_publication_essays(context)))
