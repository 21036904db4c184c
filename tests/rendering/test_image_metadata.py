"""What a picture's file says beside its pixels: only who made it and may use it reaches readers."""

from __future__ import annotations

import struct
from io import BytesIO

import pytest
from PIL import Image, ImageDraw, PngImagePlugin

from upcycle_news.rendering.image_metadata import (
    ImageRights,
    read_information,
    with_rights,
    without_metadata,
)
from upcycle_news.rendering.image_resize import fit_for_mail

PLACE = "Hinterhof-7-Halle"
RIGHTS = ImageRights("Rosa Beispiel", "Bildstelle", "© 2026 Rosa Beispiel", "CC BY-SA 4.0")


def drawing(mode: str = "RGB") -> Image.Image:
    image = Image.new("RGB", (300, 180), (180, 160, 120))
    ImageDraw.Draw(image).ellipse((90, 30, 210, 150), fill=(70, 90, 110))
    return image.convert(mode)


def written(image: Image.Image, kind: str, **options: object) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


JPEG = written(drawing(), "JPEG", quality=80)
PNG = written(drawing(), "PNG")
GIF = written(drawing("P"), "GIF")


def segment(marker: int, body: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def with_segment(*segments: bytes) -> bytes:
    return JPEG[:2] + b"".join(segments) + JPEG[2:]


def xmp(inside: str) -> bytes:
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:cc="http://creativecommons.org/ns#" '
        'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" '
        'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">'
        f"{inside}</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def xmp_segment(inside: str) -> bytes:
    return segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp(inside))


def iptc_segment(*records: tuple[int, str]) -> bytes:
    data = b"".join(
        b"\x1c\x02" + bytes([number]) + struct.pack(">H", len(text.encode())) + text.encode()
        for number, text in records
    )
    data += b"\0" * (len(data) % 2)
    block = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(data)) + data
    return segment(0xED, b"Photoshop 3.0\0" + block)


def information(data: bytes):
    with Image.open(BytesIO(data)) as image:
        return read_information(image, data)


def pixels(data: bytes) -> bytes:
    with Image.open(BytesIO(data)) as image:
        return image.convert("RGB").tobytes()


def exif(**more: object) -> bytes:
    values = Image.Exif()
    values[0x010F] = PLACE  # the maker
    values[0x9286] = PLACE  # a comment
    values.get_ifd(0x8825)[1] = "N"
    values.get_ifd(0x8825)[2] = (51.0, 28.0, 56.0)
    return values.tobytes()


def large(part: bytes) -> bytes:
    data = written(drawing().resize((2400, 1440)), "JPEG", quality=60)
    return data[:2] + part + data[2:]


def png_with(size: tuple[int, int] = (300, 180), **texts: str) -> bytes:
    info = PngImagePlugin.PngInfo()
    for name, text in texts.items():
        info.add_text(name, text, zip=name == "Comment")
        info.add_itxt(f"{name}-i", text, zip=name == "Comment")
    return written(drawing().resize(size), "PNG", pnginfo=info)


TELLING = {
    "exif": written(drawing(), "JPEG", quality=80, exif=exif()),
    "xmp": with_segment(xmp_segment(f"<dc:description>{PLACE}</dc:description>")),
    "iptc": with_segment(iptc_segment((90, PLACE), (25, PLACE), (55, PLACE))),
    "comment": with_segment(segment(0xFE, PLACE.encode())),
    "thumbnail": with_segment(segment(0xE0, b"JFXX\0\x10" + PLACE.encode())),
    "maker note": with_segment(segment(0xE5, PLACE.encode())),
    "video behind": JPEG + b"\0\0\0\x18ftypmp42" + PLACE.encode(),
    "png text": png_with(Source=PLACE, Comment=PLACE),
    "png exif": written(drawing(), "PNG", exif=exif()),
    "png behind": PNG + PLACE.encode(),
    "gif comment": written(drawing("P"), "GIF", comment=PLACE.encode()),
    "large jpeg": written(drawing().resize((2400, 1440)), "JPEG", exif=exif()),
    "large xmp": large(xmp_segment(f"<dc:title>{PLACE}</dc:title>")),
    "large comment": large(segment(0xFE, PLACE.encode())),
    "large iptc": large(iptc_segment((90, PLACE))),
    "large gif": written(
        drawing("P").resize((1400, 840)),
        "GIF",
        comment=PLACE.encode(),
        save_all=True,
        append_images=[drawing("L").resize((1400, 840)).convert("P")],
    ),
    "large png": png_with(Source=PLACE, Comment=PLACE, size=(1400, 840)),
    "cmyk": written(drawing("CMYK"), "JPEG", comment=PLACE.encode()),
    "webp": written(drawing(), "WEBP", exif=exif(), xmp=xmp(f"<dc:title>{PLACE}</dc:title>")),
}


@pytest.mark.parametrize("data", TELLING.values(), ids=TELLING)
def test_place_time_and_device_do_not_reach_readers(data: bytes) -> None:
    small = fit_for_mail("bild", data)
    assert PLACE.encode() not in small
    with Image.open(BytesIO(small)) as image:
        assert not image.getexif()
        assert not {"xmp", "comment", "photoshop", "exif"} & image.info.keys()
        assert not getattr(image, "text", {})


@pytest.mark.parametrize(
    "name", [name for name in TELLING if not name.startswith(("large", "webp", "cmyk"))]
)
def test_what_is_removed_leaves_the_pixels_as_they_were_encoded(name: str) -> None:
    assert pixels(fit_for_mail("bild", TELLING[name])) == pixels(TELLING[name])


@pytest.mark.parametrize("data", [JPEG, PNG, GIF])
def test_a_picture_that_says_nothing_stays_byte_for_byte(data: bytes) -> None:
    assert without_metadata(data) == data
    assert fit_for_mail("bild", data) == data


@pytest.mark.parametrize("data", [JPEG, PNG, GIF], ids=["jpeg", "png", "gif"])
def test_rights_are_written_anew_and_read_again(data: bytes) -> None:
    told = with_rights(data, RIGHTS)
    assert information(told).rights == RIGHTS
    assert pixels(told) == pixels(data)
    assert without_metadata(told) == data


@pytest.mark.parametrize(
    ("data", "rights", "line"),
    [
        (
            with_segment(
                xmp_segment(
                    "<dc:creator><rdf:Seq><rdf:li>Rosa Beispiel</rdf:li><rdf:li>Ute Muster</rdf:li>"
                    '</rdf:Seq></dc:creator><cc:license rdf:resource="https://creativecommons.org/'
                    'licenses/by-sa/4.0/"/><dc:title>Geheim</dc:title>'
                )
            ),
            ImageRights(
                "Rosa Beispiel, Ute Muster",
                licence="https://creativecommons.org/licenses/by-sa/4.0/",
            ),
            "Rosa Beispiel, Ute Muster, CC BY-SA 4.0",
        ),
        (
            with_segment(iptc_segment((80, "Jörg Muster"), (110, "Bildstelle"), (105, "Geheim"))),
            ImageRights("Jörg Muster", "Bildstelle"),
            "Jörg Muster / Bildstelle",
        ),
        (
            png_with(Author="Rosa Beispiel", Copyright="© Rosa", Comment="Geheim"),
            ImageRights("Rosa Beispiel", notice="© Rosa"),
            "Rosa Beispiel",
        ),
    ],
    ids=["xmp", "iptc", "png"],
)
def test_creator_credit_notice_and_licence_stay(
    data: bytes, rights: ImageRights, line: str
) -> None:
    small = fit_for_mail("bild", data)
    assert information(data).rights == information(small).rights == rights
    assert rights.line() == line
    assert b"Geheim" not in small


def test_exifs_artist_and_copyright_stay_when_the_picture_is_scaled() -> None:
    values = Image.Exif()
    values[0x013B] = "Rosa Müller".encode()
    values[0x8298] = "© Rosa Müller".encode()
    values[0x0110] = "Kamera"
    large = written(drawing().resize((2400, 1440)), "JPEG", exif=values)
    small = fit_for_mail("bild", large)
    assert information(small).rights == ImageRights("Rosa Müller", notice="© Rosa Müller")
    assert b"Kamera" not in small


@pytest.mark.parametrize(
    "credit",
    [
        "Rosa Beispiel, Lange Straße 7",
        "Rosa Beispiel, 06108 Halle",
        "Foto: 51.4822, 11.9699",
        "51° 28′ N",
        "Rosa Beispiel, aufgenommen in Halle",
        "https://www.openstreetmap.org/#map=19/51.4/11.9",
    ],
)
def test_a_place_in_a_credit_is_withheld_and_named(credit: str) -> None:
    data = with_segment(iptc_segment((80, "Rosa Beispiel"), (110, credit)))
    found = information(data)
    assert found.rights == ImageRights("Rosa Beispiel")
    assert found.withheld == (credit,)
    assert credit.encode() not in fit_for_mail("bild", data)


def test_a_place_that_the_file_names_is_known_in_its_credit_as_well() -> None:
    found = information(with_segment(iptc_segment((90, "Bad Muster"), (110, "Rosa, Bad Muster"))))
    assert found.withheld == ("Rosa, Bad Muster",)
    nested = (
        '<Iptc4xmpExt:LocationCreated><rdf:Bag><rdf:li rdf:parseType="Resource">'
        "<Iptc4xmpExt:Sublocation>Alte Mühle</Iptc4xmpExt:Sublocation></rdf:li></rdf:Bag>"
        "</Iptc4xmpExt:LocationCreated><photoshop:Credit>Rosa/Alte Mühle</photoshop:Credit>"
    )
    assert information(with_segment(xmp_segment(nested))).withheld == ("Rosa/Alte Mühle",)


@pytest.mark.parametrize(
    "credit", ["© 2026 Rosa Beispiel", "CC BY-SA 4.0", "dpa/Beispiel", "Rosa Weg, Agentur 21"]
)
def test_a_credit_without_a_place_is_not_suspected(credit: str) -> None:
    found = information(with_segment(iptc_segment((110, credit))))
    assert found.rights.credit == credit
    assert found.withheld == ()


@pytest.mark.parametrize(
    "packet",
    [
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x:xmpmeta xmlns:x="adobe:ns:meta/">&b;</x:xmpmeta>',
        b"<x:xmpmeta",
        b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>" + b"<a>" * 5000 + b"</x:xmpmeta>",
    ],
    ids=["entities", "cut off", "deep"],
)
def test_broken_or_hostile_metadata_say_nothing(packet: bytes) -> None:
    data = with_segment(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet))
    assert not information(data).rights
    assert fit_for_mail("bild", data) == JPEG


@pytest.mark.parametrize("data", [JPEG, PNG, GIF], ids=["jpeg", "png", "gif"])
def test_a_file_that_is_cut_off_anywhere_is_no_crash(data: bytes) -> None:
    for length in range(0, len(data) - 1, 97):
        assert without_metadata(data[:length]) is None
