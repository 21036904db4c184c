"""`check` looks at the pictures of essays as they lie in content/images."""

from __future__ import annotations

from upcycle_news.rendering.image_metadata import ImageRights, with_rights

from ...publications import Publication
from ...rendering.sample_manifest import png
from ...rendering.test_image_metadata import iptc_segment, with_segment

OWED = with_rights(png(60, 40), ImageRights("Rosa Beispiel", licence="CC BY 4.0"))


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
    where = "content/essays/2026-01-05-haus.md"
    assert findings(publication) == [
        ("picture-credit", f"{where}:6"),
        ("picture-place", f"{where}:12"),
    ]
    credited = text.replace("Ein Haus\n---", 'Ein Haus\nimage_credit: "Foto: Rosa Beispiel"\n---')
    path.write_text(credited, encoding="utf-8")
    (images / "tor.jpg").write_bytes(with_segment())
    assert findings(publication) == []
