"""What image files say beside their pixels: everything goes, but who made them and may use them.

Cameras and programs write where, when, with what and of whom a picture was taken, in five places:
EXIF, XMP, IPTC (IIM), PNG's text chunks and comments. Readers get none of it. The information about
rights must not be removed (§ 95c UrhG, Directive 2001/29/EC, article 7): it is read, and written
anew as a small XMP packet with nothing else in it.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any

from upcycle_news.rendering.images import MAX_PIXELS
from upcycle_news.text.safe_xml import UnsafeXmlError, parse_xml
from upcycle_news.text.sanitize import normalise_whitespace, truncate

if TYPE_CHECKING:
    from PIL.Image import Image

_MAX_TEXT = 300
"""Characters of one piece of information; nobody's name is longer."""

_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_PHOTOSHOP = "{http://ns.adobe.com/photoshop/1.0/}"
_XMP_RIGHTS = "{http://ns.adobe.com/xap/1.0/rights/}"
_IPTC_CORE = "{http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/}"
_IPTC_EXT = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
_CC = "{http://creativecommons.org/ns#}"
_TIFF = "{http://ns.adobe.com/tiff/1.0/}"
_PLACE_NAMES = tuple(
    [f"{_PHOTOSHOP}{name}" for name in ("City", "State", "Country")]
    + [f"{_IPTC_CORE}Location"]
    + [f"{_IPTC_EXT}{name}" for name in ("City", "Sublocation", "ProvinceState", "LocationName")]
)


@dataclass(frozen=True)
class ImageRights:
    """Who made an image and may use it, as its file says; each is empty where the file says nothing."""

    creator: str = ""
    credit: str = ""
    notice: str = ""
    licence: str = ""

    def __bool__(self) -> bool:
        return any(astuple(self))

    def line(self) -> str:
        """Return it as one line for below the image: ``Jonas Muster / Agentur, CC BY 4.0``."""
        names = [self.creator]
        if self.credit.casefold() not in self.creator.casefold():
            names.append(self.credit)
        parts = [" / ".join(filter(None, names)) or self.notice, _licence_name(self.licence)]
        return ", ".join(filter(None, parts))


@dataclass(frozen=True)
class ImageInformation:
    """The rights that may travel with an image, and `withheld`: those in which a place is written."""

    rights: ImageRights
    withheld: tuple[str, ...] = ()


def read_information(image: Image, data: bytes) -> ImageInformation:
    """Return what `data`, opened as `image`, say about rights; unreadable metadata say nothing."""
    sources = (_exif(image), _xmp(image, data), _iptc(image), _png_texts(image))
    found = ImageRights(
        *(
            next((text for source in sources if (text := _clean(source.get(name, "")))), "")
            for name in ("creator", "credit", "notice", "licence")
        )
    )
    places = [_clean(place) for source in sources for place in source.get("places", ())]
    withheld = {name: text for name, text in vars(found).items() if _names_place(text, places)}
    return ImageInformation(
        replace(found, **dict.fromkeys(withheld, "")), tuple(dict.fromkeys(withheld.values()))
    )


def _clean(text: str) -> str:
    return truncate(normalise_whitespace(text), _MAX_TEXT)


_CC_URL = re.compile(r"https?://creativecommons\.org/(licenses|publicdomain)/([a-z-]+)/([\d.]+)")


def _licence_name(licence: str) -> str:
    """Return the short name of a Creative Commons licence that is given by its URL."""
    match = _CC_URL.match(licence)
    if not match:
        return licence
    if match[1] == "publicdomain":
        return f"CC0 {match[3]}" if match[2] == "zero" else "Public Domain"
    return f"CC {match[2].upper()} {match[3]}"


# Coordinates (52.5163, 13.3777; 51° 28' N), a street with its number, a postcode with its town, a map.
_PLACE = re.compile(
    r"\d{1,3}\s*°\s*\d|\d{1,3}[.,]\d{3,}\s*°|-?\d{1,2}\.\d{3,}\s*[,;/ ]\s*-?\d{1,3}\.\d{3,}"
    r"|\b[NSEWO]\s?\d{1,3}[.°]\d|\bgeo:-?\d|\bGPS\b"
    r"|(?:straße|strasse|str\.|gasse|weg|platz|allee|ring|damm|ufer|markt|street|road|avenue)\s+\d+"
    r"|\b(?:D-)?\d{5}\s+[A-ZÄÖÜ]\w+|(?:goo\.gl|google\.[a-z.]+|openstreetmap\.org|app\.goo\.gl)/?\S*maps?"
    r"|openstreetmap\.org|maps\.(?:app|apple)|\b(?:aufgenommen (?:in|bei|am|auf)|taken (?:in|at|near)"
    r"|Ort|Aufnahmeort|Location)\b\s*:?\s+\w",
    re.IGNORECASE,
)


def _names_place(text: str, places: Iterable[str]) -> bool:
    """Return whether a text says where: by its look, or with a word of the file's own place fields."""
    if not text:
        return False
    if _PLACE.search(text):
        return True
    return any(
        re.search(rf"(?<!\w){re.escape(place)}(?!\w)", text, re.IGNORECASE)
        for place in places
        if len(place) >= 3
    )


def _exif(image: Image) -> dict[str, Any]:
    try:
        exif = image.getexif()
    except (OSError, SyntaxError, ValueError, struct.error):
        return {}
    author = exif.get(0x9C9D, b"")  # XPAuthor: UTF-16 in bytes
    if isinstance(author, bytes):
        author = author.decode("utf-16-le", "ignore").rstrip("\0")
    # Exif 2.32, 4.6.5: the notices of photographer and editor, apart by NUL.
    notice = str(exif.get(0x8298, "")).strip("\0 ").replace("\0", ", ")
    creator = str(exif.get(0x013B, "")).strip("\0 ") or str(author)
    return {"creator": _as_utf8(creator), "notice": _as_utf8(notice)}


def _as_utf8(text: str) -> str:
    """Return a text that was decoded as Latin-1 as what it is: many programs write UTF-8 there."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _xmp(image: Image, data: bytes) -> dict[str, Any]:
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    if image.format == "GIF":  # Pillow does not look for it there
        packet = data
    if isinstance(packet, str):
        packet = packet.encode()
    begin, end = packet.find(b"<x:xmpmeta"), packet.find(b"</x:xmpmeta>")
    packet = packet[begin : end + 12]
    if begin < 0 or not packet:
        return {}
    try:
        root = parse_xml(packet)
    except UnsafeXmlError:
        return {}

    def texts(name: str) -> Iterator[str]:
        """Yield the values of a property: an attribute, a text, or the items of a list."""
        for element in root.iter(f"{_RDF}Description", name):
            if element.tag != name:
                yield element.get(name, "")
            else:
                yield element.get(f"{_RDF}resource", "")
                yield from (str(piece).strip() for piece in element.itertext())

    def first(*names: str, join: str = "") -> str:
        for name in names:
            values = list(dict.fromkeys(filter(None, texts(name))))
            if values:
                return join.join(values) if join else values[0]
        return ""

    return {
        "creator": first(f"{_DC}creator", f"{_TIFF}Artist", join=", "),
        "notice": first(f"{_DC}rights", f"{_TIFF}Copyright"),
        "credit": first(f"{_PHOTOSHOP}Credit"),
        "licence": first(f"{_CC}license", f"{_XMP_RIGHTS}UsageTerms", f"{_XMP_RIGHTS}WebStatement"),
        "places": [place for name in _PLACE_NAMES for place in texts(name)],
    }


def _iptc(image: Image) -> dict[str, Any]:
    """Read the IIM record that Photoshop's APP13 holds (IPTC-NAA IIM 4.2, data sets of record 2)."""
    from PIL import ImageFile, IptcImagePlugin

    assert isinstance(image, ImageFile.ImageFile)
    try:
        record: Mapping[tuple[int, int], Any] = IptcImagePlugin.getiptcinfo(image) or {}
    except (OSError, SyntaxError, ValueError, struct.error, KeyError, IndexError):
        return {}

    def text(number: int) -> str:
        value = record.get((2, number), b"")
        return ", ".join(map(_iptc_text, value if isinstance(value, list) else [value]))

    return {
        "creator": text(80),
        "notice": text(116),
        "credit": text(110),
        "places": [text(number) for number in (26, 90, 92, 95, 101)],
    }


def _iptc_text(value: Any) -> str:
    data = bytes(value) if isinstance(value, bytes | bytearray) else str(value).encode()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _png_texts(image: Image) -> dict[str, Any]:
    """Read the keywords of PNG (11.3.3.2) that name rights; behind an animation only of a small one."""
    if image.format != "PNG":
        return {}
    if getattr(image, "n_frames", 1) * image.width * image.height > MAX_PIXELS:
        return {}
    texts = getattr(image, "text", {})
    return {"creator": str(texts.get("Author", "")), "notice": str(texts.get("Copyright", ""))}


def without_metadata(data: bytes) -> bytes | None:
    """Return a JPEG, PNG or GIF with its pixels as they are and nothing about them, or None.

    Colours stay right: gamma, chromaticities and Adobe's APP14 are kept, as is the number of repeats
    of an animation. What follows the end of the image, such as a video, goes. The same bytes are
    returned where nothing has to go; None where the structure is broken.
    """
    readers = {b"\xff\xd8\xff": _jpeg_parts, b"\x89PNG": _png_parts, b"GIF8": _gif_parts}
    for signature, parts in readers.items():
        if data.startswith(signature):
            try:
                return b"".join(parts(data))
            except (IndexError, struct.error, ValueError):
                return None
    return None


def _jpeg_parts(data: bytes) -> Iterator[bytes]:
    """Yield the parts of a JPEG (ITU T.81, annex B) that decode it."""
    yield data[:2]
    position = 2
    while True:
        start = position
        if data[position] != 0xFF:
            raise ValueError("no marker")
        while data[position] == 0xFF:  # fill bytes may stand before it
            position += 1
        marker = data[position]
        position += 1
        if marker == 0xD9:  # the end of the image
            yield data[start:position]
            return
        if marker == 0x01 or 0xD0 <= marker <= 0xD7:
            yield data[start:position]
            continue
        (length,) = struct.unpack_from(">H", data, position)
        body = data[position + 2 : position + length]
        position += length
        if marker == 0xDA:
            position = _end_of_scan(data, position)
        if marker == 0xE0 and body.startswith(b"JFIF\0") and len(body) > 14:
            yield b"\xff\xe0\x00\x10" + body[:12] + b"\0\0"  # without its thumbnail
        elif _decodes(marker, body):
            yield data[start:position]


def _end_of_scan(data: bytes, position: int) -> int:
    """Return where the entropy-coded data end: at a marker that is neither stuffing nor a restart."""
    while True:
        position = data.index(b"\xff", position)
        following = data[position + 1]
        if following == 0x00 or 0xD0 <= following <= 0xD7:
            position += 2
        elif following == 0xFF:
            position += 1
        else:
            return position


def _decodes(marker: int, body: bytes) -> bool:
    if marker == 0xE0:
        return body.startswith(b"JFIF\0")  # JFXX is a thumbnail
    if marker == 0xEE:
        return body.startswith(b"Adobe")
    if marker == 0xE2:
        return body.startswith(b"ICC_PROFILE\0")
    return not (0xE0 <= marker <= 0xEF or marker == 0xFE)


_PNG_CHUNKS = frozenset(
    b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB sBIT bKGD pHYs iCCP cICP acTL fcTL fdAT".split()
)


def _png_parts(data: bytes) -> Iterator[bytes]:
    """Yield the signature and the chunks of a PNG that show it, and its animation."""
    yield data[:8]
    position = 8
    while True:
        (length,) = struct.unpack_from(">I", data, position)
        kind, end = data[position + 4 : position + 8], position + length + 12
        if end > len(data):
            raise ValueError("cut off")
        if kind in _PNG_CHUNKS:
            yield data[position:end]
        if kind == b"IEND":
            return
        position = end


def _gif_parts(data: bytes) -> Iterator[bytes]:
    """Yield the blocks of a GIF (89a) that show it; of applications' only the number of repeats."""
    position = 13 + _colour_table(data[10])
    yield data[:position]
    while True:
        start, kind = position, data[position]
        if kind == 0x3B:
            yield data[start : start + 1]
            return
        if kind == 0x2C:
            position = _end_of_blocks(data, start + 10 + _colour_table(data[start + 9]) + 1)
            yield data[start:position]
        elif kind == 0x21:
            position = _end_of_blocks(data, start + 2)
            label, name = data[start + 1], data[start + 3 : start + 14]
            if label == 0xF9 or (label == 0xFF and name in (b"NETSCAPE2.0", b"ANIMEXTS1.0")):
                yield data[start:position]
        else:
            raise ValueError("no block")


def _colour_table(flags: int) -> int:
    """Return the bytes of the colour table that a packed field announces."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _end_of_blocks(data: bytes, position: int) -> int:
    while data[position]:
        position += data[position] + 1
    return position + 1


def with_rights(data: bytes, rights: ImageRights) -> bytes:
    """Return a JPEG, PNG or GIF without metadata that says who made it, and nothing else."""
    if not rights:
        return data
    packet = _packet(rights)
    if data.startswith(b"\xff\xd8"):
        body = b"http://ns.adobe.com/xap/1.0/\0" + packet
        # Behind JFIF's segment, which has to be the first.
        place = 4 + data[4] * 256 + data[5] if data[2:4] == b"\xff\xe0" else 2
        segment = b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    elif data.startswith(b"\x89PNG"):
        body = b"iTXtXML:com.adobe.xmp\0\0\0\0\0" + packet
        place = 33  # behind the header
        segment = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    else:
        place = 13 + _colour_table(data[10])
        # XMP part 3, 1.1.2: the bytes behind the packet lead readers that know no XMP to its end.
        trailer = b"\x01" + bytes(range(255, -1, -1)) + b"\x00"
        segment = b"\x21\xff\x0bXMP DataXMP" + packet + trailer
    return data[:place] + segment + data[place:]


def _packet(rights: ImageRights) -> bytes:
    """Return an XMP packet (ISO 16684-1) of the rights."""

    def items(kind: str, text: str) -> str:
        language = ' xml:lang="x-default"' if kind == "Alt" else ""
        return f"<rdf:{kind}><rdf:li{language}>{escape(text, quote=False)}</rdf:li></rdf:{kind}>"

    properties = [
        ("dc:creator", items("Seq", rights.creator) if rights.creator else ""),
        ("dc:rights", items("Alt", rights.notice) if rights.notice else ""),
        ("photoshop:Credit", escape(rights.credit, quote=False)),
        ("xmpRights:UsageTerms", items("Alt", rights.licence) if rights.licence else ""),
    ]
    inside = "".join(f"<{name}>{value}</{name}>" for name, value in properties if value)
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" '
        f'xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/">{inside}</rdf:Description>'
        "</rdf:RDF></x:xmpmeta>"
    ).encode()
