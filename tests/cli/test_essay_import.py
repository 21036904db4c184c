"""`essay import`: manuscripts of every kind, several at once, with their pictures."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest

from ..content.manuscripts.test_same_text import HEAD, MANUSCRIPTS, TITLE, WRITERS
from ..content.manuscripts.writers import Block, p, png, write_docx, write_html
from ..publications import Publication, today

SLUG = "die-werkstatt-am-kanal"


def essays(publication: Publication) -> list[str]:
    return sorted(path.name for path in (publication.home / "content/essays").glob("*.md"))


def pictures(publication: Publication) -> list[str]:
    folder = publication.home / "content/images"
    return sorted(path.name for path in folder.glob("*") if path.suffix != ".md")


@pytest.fixture(name="empty")
def _empty(publication: Publication) -> Publication:
    for path in (publication.home / "content/essays").glob("*.md"):
        path.unlink()
    return publication


@pytest.mark.parametrize("kind", WRITERS)
def test_a_manuscript_becomes_an_issue(empty: Publication, tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"text.{kind}"
    blocks = [*HEAD, *MANUSCRIPTS["headings"], *MANUSCRIPTS["pictures"], *MANUSCRIPTS["notes"]]
    file.write_bytes(WRITERS[kind](blocks))
    result = empty.run("essay", "import", str(file))
    assert result.out == f"content/essays/{today()}-{SLUG}.md\n"
    assert result.err == ""
    assert f"{SLUG}-1.png" in pictures(empty)
    findings = empty.run("check", "--json").lines
    assert not [f for f in findings if str(f.get("where", "")).startswith("content/essays")]
    files = empty.run("issue", "preview", "--no-open", "--no-collect", "--json").json["files"]
    text = (empty.home / files["text"]).read_text(encoding="utf-8")
    assert "Am Anfang war der Kran." in text
    assert "Das Tor, rot und offen" in text
    assert "So steht es im Grundbuch, Blatt 7." in text


def test_a_folder_is_imported_and_what_cannot_be_is_named(
    empty: Publication, tmp_path: Path
) -> None:
    folder = tmp_path / "texte"
    folder.mkdir()
    (folder / "a.docx").write_bytes(write_docx([p("Erstes", kind="title"), p("Ein Satz.")]))
    (folder / "b.html").write_bytes(write_html([p("Zweites", kind="title"), p("Ein Satz.")]))
    (folder / "c.txt").write_text("Drittes\n\nEin Satz.\n", encoding="utf-8")
    (folder / "d.pdf").write_bytes(b"%PDF-1.7 endobj")
    (folder / "e.md").write_text("---\ntitle: Fünftes\n---\n\n![Tor](tor.png)\n", encoding="utf-8")
    (folder / "tor.png").write_bytes(png())
    (folder / "~$a.docx").write_bytes(b"\x05Rosa")
    (folder / "README.md").write_text("# Was hier liegt\n\nTexte.", encoding="utf-8")
    (folder / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    (folder / ".hidden").write_bytes(b"x")
    result = empty.run("essay", "import", str(folder), code=1)
    names = [f"{today()}-{name}.md" for name in ("drittes", "erstes", "fuenftes", "zweites")]
    assert essays(empty) == names
    assert sorted(Path(line).name for line in result.out.splitlines()) == names
    assert result.err.startswith(f"{folder}/d.pdf: Das ist eine PDF-Datei")
    assert result.err.count("\n") == 1
    assert (empty.home / "content/images/fuenftes-1.png").read_bytes() == png()


def test_of_two_manuscripts_with_one_title_the_second_is_named(
    empty: Publication, tmp_path: Path
) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("Titel\n\nEin Satz.\n", encoding="utf-8")
    files = [str(tmp_path / name) for name in ("a.txt", "b.txt")]
    result = empty.run("essay", "import", *files, code=1)
    assert essays(empty) == [f"{today()}-titel.md"]
    assert result.err.startswith(f"{files[1]}: ")
    assert "Einen Essay mit diesem Titel gibt es schon" in result.err


@pytest.mark.parametrize("name", ["text.txt", "text.md", "text.html"])
def test_drafts_are_in_no_issue(empty: Publication, tmp_path: Path, name: str) -> None:
    texts = {"text.txt": "Titel\n\nEin Satz.", "text.md": "# Titel\n\nEin Satz.",
             "text.html": "<html><h1>Titel</h1><p>Ein Satz.</p></html>"}  # fmt: skip
    (tmp_path / name).write_text(texts[name], encoding="utf-8")
    empty.run("essay", "import", str(tmp_path), "--draft")
    [row] = empty.run("essay", "list", "--json").lines
    assert (row["title"], row["status"]) == ("Titel", "draft")


def test_several_files_have_no_title_in_common(empty: Publication, tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("Titel\n\nEin Satz.", encoding="utf-8")
    both = [str(tmp_path / "a.txt"), str(tmp_path / "b.txt")]
    result = empty.run("essay", "import", *both, "--title", "Eins", code=1)
    assert "--title gilt für eine einzelne Datei" in result.err
    assert essays(empty) == []


def test_a_folder_without_manuscripts_is_refused(empty: Publication, tmp_path: Path) -> None:
    (tmp_path / "leer").mkdir()
    assert "kein Manuskript" in empty.run("essay", "import", str(tmp_path / "leer"), code=1).err


@pytest.mark.parametrize("name", ["text.rtf", "text.txt", "text.docx", "text.md"])
@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"{\\rtf1\\ansi An der Ecke.\\par}", "Das ist eine RTF-Datei."),
        (b"%PDF-1.4\n1 0 obj << >> endobj", "Das ist eine PDF-Datei"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "eine alte Word-Datei"),
        (png(), "Das ist ein Bild"),
        (bytes(range(256)), "kein Text"),
    ],
)
def test_other_files_are_refused_whatever_their_name(
    empty: Publication, tmp_path: Path, name: str, data: bytes, sentence: str
) -> None:
    file = tmp_path / name
    file.write_bytes(data)
    before = pictures(empty)
    result = empty.run("essay", "import", str(file), "--title", "Eins", code=1)
    assert result.err.startswith(f"{file}: ")
    assert sentence in result.err or "nicht sicher lesen" in result.err
    assert (essays(empty), pictures(empty)) == ([], before)


def test_a_manuscript_without_a_title_wants_one(empty: Publication, tmp_path: Path) -> None:
    file = tmp_path / "text.txt"
    file.write_text("Ein Satz, und noch einer. Und so weiter.", encoding="utf-8")
    assert '--title "…"' in empty.run("essay", "import", str(file), code=1).err
    empty.run("essay", "import", str(file), "--title", " ", code=1)
    assert essays(empty) == []


def test_nothing_is_written_where_an_essay_has_the_title(
    empty: Publication, tmp_path: Path
) -> None:
    file = tmp_path / "text.docx"
    file.write_bytes(write_docx([*HEAD, *MANUSCRIPTS["pictures"]]))
    empty.run("essay", "import", str(file))
    there = pictures(empty)
    for path in (empty.home / "content/images").glob(f"{SLUG}*"):
        path.unlink()
    empty.run("essay", "import", str(file), code=1)
    assert pictures(empty) == [name for name in there if not name.startswith(SLUG)]


def test_a_picture_never_replaces_another_one(empty: Publication, tmp_path: Path) -> None:
    other = empty.home / f"content/images/{SLUG}-1.png"
    other.write_bytes(png("#123456"))
    file = tmp_path / "text.docx"
    file.write_bytes(write_docx([*HEAD, *MANUSCRIPTS["pictures"]]))
    path = empty.run("essay", "import", str(file)).out.strip()
    assert other.read_bytes() == png("#123456")
    assert f"]({SLUG}-2.png)" in (empty.home / path).read_text(encoding="utf-8")


def giant_png() -> bytes:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
        + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    )  # fmt: skip


def with_picture(data: bytes) -> bytes:
    document = write_docx([*HEAD, p("Davor."), Block("img", alt="Das Tor"), p("Dahinter.")])
    return replaced(document, data)


def replaced(document: bytes, data: bytes) -> bytes:
    out = BytesIO()
    with ZipFile(BytesIO(document)) as old, ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, data if name.startswith("word/media/") else old.read(name))
    return out.getvalue()


def test_a_giant_picture_is_refused_and_a_foreign_one_told(
    empty: Publication, tmp_path: Path
) -> None:
    file = tmp_path / "text.docx"
    file.write_bytes(with_picture(giant_png()))
    assert "60 Millionen Pixel" in empty.run("essay", "import", str(file), code=1).err
    assert essays(empty) == []
    file.write_bytes(with_picture(b"\x01\0\0\0emf" + bytes(80)))
    result = empty.run("essay", "import", str(file))
    assert "ein Bild in einem Format, das Mails nicht zeigen" in result.err
    assert "bei „Das Tor“" in result.err
    assert "![" not in (empty.home / result.out.strip()).read_text(encoding="utf-8")


def test_a_page_cannot_reach_files_outside_its_folder(empty: Publication, tmp_path: Path) -> None:
    (tmp_path / "geheim.png").write_bytes(png("#ff0000"))
    folder = tmp_path / "seite"
    folder.mkdir()
    (folder / "tor.png").write_bytes(png())
    (folder / "notiz.txt").write_text("geheim", encoding="utf-8")
    (folder / "link.png").symlink_to(tmp_path / "geheim.png")
    sources = [
        "tor.png",
        "../geheim.png",
        str(tmp_path / "geheim.png"),
        "file:///etc/passwd",
        "notiz.txt",
        "link.png",
    ]
    images = "".join(f"<img src='{source}' alt='Bild'>" for source in sources)
    file = folder / "seite.html"
    file.write_text(
        f"<html><body><h1>{TITLE}</h1><p>Text. {images}</p></body></html>", encoding="utf-8"
    )
    result = empty.run("essay", "import", str(file))
    own = [name for name in pictures(empty) if name.startswith(SLUG)]
    assert own == [f"{SLUG}-1.png"]
    assert (empty.home / "content/images" / own[0]).read_bytes() == png()
    assert result.err.count("nicht übernommen: ein Bild") == 5


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-16-le", "utf-16-be", "mac_roman", "cp1252", "cp850"]
)
def test_a_text_in_any_encoding_gives_the_same_essay(
    empty: Publication, tmp_path: Path, encoding: str
) -> None:
    file = tmp_path / "text.txt"
    file.write_bytes("Große Höfe\n\nÜber den Bäckern stehen Höfe für alle.\n".encode(encoding))
    path = empty.run("essay", "import", str(file)).out.strip()
    assert path.endswith("-grosse-hoefe.md")
    assert "Über den Bäckern stehen Höfe für alle." in (empty.home / path).read_text("utf-8")
