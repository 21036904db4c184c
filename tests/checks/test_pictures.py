"""Findings about pictures as editors handed them in: whom they are owed to, places, animations."""

from __future__ import annotations

from dataclasses import replace

import pytest

from upcycle_news.checks.issue import MAX_PICTURE_BYTES, WARN_PICTURE_BYTES, preflight
from upcycle_news.checks.pictures import PictureInput, check_picture
from upcycle_news.models import Essay, ImageRef, InlineImage
from upcycle_news.rendering.image_metadata import ImageRights, with_rights
from upcycle_news.rendering.image_resize import fit_for_mail
from upcycle_news.rendering.render import render

from ..rendering import sample_manifest
from ..rendering.sample_manifest import ISSUE, LEAD, PUBLICATION, png
from ..rendering.test_image_metadata import iptc_segment, with_segment
from ..rendering.test_image_resize import moving

OWED = with_rights(png(60, 40), ImageRights("Rosa Beispiel", licence="CC BY 4.0"))
IN_TEXT = replace(LEAD, image=None, body="Ein Haus.\n\n![Ein Haus](haus.png)")
IN_HEAD = replace(LEAD, image=ImageRef("haus.png", "Ein Haus"), body="Ein Haus.")


def findings(essay: Essay, data: bytes) -> list[tuple[str, str]]:
    picture = PictureInput(essay, "haus.png", "x.md:3", data, fit_for_mail("haus.png", data))
    found = list(check_picture(picture))
    assert all((finding.level, finding.where) == ("warning", "x.md:3") for finding in found)
    return [(finding.code, finding.in_language("de")) for finding in found]


def test_a_picture_whose_file_names_its_creator_is_to_be_credited() -> None:
    [(code, text)] = findings(IN_HEAD, OWED)
    assert code == "picture-credit"
    assert 'image_credit: "Foto: Rosa Beispiel, CC BY 4.0"' in text
    [(code, text)] = findings(IN_TEXT, OWED)
    assert code == "picture-credit"
    assert '![…](haus.png "Foto: Rosa Beispiel, CC BY 4.0")' in text


@pytest.mark.parametrize(
    "essay",
    [
        replace(IN_HEAD, image=ImageRef("haus.png", "Ein Haus", credit="Foto: R. Beispiel")),
        replace(IN_HEAD, image=ImageRef("haus.png", "Ein Haus", caption="Haus (Rosa Beispiel)")),
        replace(IN_TEXT, body='![Ein Haus](haus.png "Foto: Rosa Beispiel")'),
        replace(IN_TEXT, body="![Ein Haus](haus.png)\n\nAlle Fotos: Rosa Beispiel"),
    ],
)
def test_a_picture_that_is_credited_is_no_finding(essay: Essay) -> None:
    assert findings(essay, OWED) == []


def test_a_picture_that_says_nothing_is_no_finding() -> None:
    assert findings(IN_TEXT, png(60, 40)) == []


def test_a_place_in_a_credit_is_told() -> None:
    data = with_segment(iptc_segment((110, "Rosa Beispiel, Lange Straße 7, 06108 Halle")))
    [(code, text)] = findings(IN_TEXT, data)
    assert code == "picture-place"
    assert "„Rosa Beispiel, Lange Straße 7, 06108 Halle“" in text


def test_an_animation_that_stands_still_is_told_and_one_that_moves_is_not() -> None:
    from PIL import Image

    from ..rendering.test_image_resize import written

    shades = [Image.new("L", (2000, 1000), shade) for shade in range(31)]
    huge = written(shades[0], "PNG", save_all=True, append_images=shades[1:])
    assert [code for code, _ in findings(IN_TEXT, huge)] == ["picture-still"]
    assert findings(IN_TEXT, moving("GIF")) == []


@pytest.mark.parametrize(
    ("size", "level"),
    [
        (WARN_PICTURE_BYTES // 2, None),
        (WARN_PICTURE_BYTES, "warning"),
        (MAX_PICTURE_BYTES, "error"),
    ],
)
def test_pictures_that_are_heavy_together_are_told_with_their_sum(
    size: int, level: str | None
) -> None:
    rendered = render(sample_manifest.with_picture())
    pictures = [InlineImage(f"{n}@x", "image/png", bytes(size // 4)) for n in range(4)]
    rendered = replace(rendered, images=(*rendered.images, *pictures))
    issue = replace(ISSUE, essays=sample_manifest.with_picture().issue.essays)
    found = [f for f in preflight(rendered, issue, PUBLICATION) if f.code == "pictures-heavy"]
    assert [f.level for f in found] == ([level] if level else [])
    if level:
        total = sum(4 * len(image.data) // 3 for image in rendered.images)
        assert f"{total:,}".replace(",", ".") in found[0].in_language("de")
        assert "Die 5 Bilder" in found[0].in_language("de")
