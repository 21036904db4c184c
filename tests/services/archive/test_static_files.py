"""Files of content/static: published as they are, served with their types, refused where they cannot be."""

from __future__ import annotations

import io
import shutil
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from upcycle_news.api import App
from upcycle_news.errors import ContentError, UpcycleError
from upcycle_news.models import IssueId
from upcycle_news.models.archive_paths import is_reserved
from upcycle_news.services.archive.build import ArchiveReport, build_archive
from upcycle_news.services.checks.run import check_everything
from upcycle_news.web.app import create_app

from ...publications import Publication, send_issue
from .test_build import tree


def put(publication: Publication, name: str, data: bytes = b"data") -> Path:
    path = publication.home / "content/static" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def findings(publication: Publication) -> list[tuple[str, str, str]]:
    found = check_everything(publication.context(), IssueId.parse("2026-11-26"))
    return [(one.code, one.level, one.where) for one in found if one.code.startswith("static")]


def picture(*, place: bool) -> bytes:
    exif = Image.Exif()
    if place:
        exif.get_ifd(0x8825)[1] = "N"
    exif[0x0112] = 1
    data = io.BytesIO()
    Image.new("RGB", (4, 4), "green").save(data, "JPEG", exif=exif)
    return data.getvalue()


def test_files_are_published_under_their_names_and_removed_with_them(
    publication: Publication,
) -> None:
    heft = put(publication, "hefte/Das Heft.pdf", b"%PDF-1.4")
    put(publication, ".well-known/security.txt")
    put(publication, unicodedata.normalize("NFD", "Übersicht.csv"))
    hidden = [put(publication, name) for name in (".DS_Store", "hefte/.geheim", ".git/config")]
    context = publication.context()
    build_archive(context)
    files = tree(context.archive_folder)
    assert files["hefte/Das Heft.pdf"] == b"%PDF-1.4"
    assert {
        ".well-known/security.txt",
        unicodedata.normalize("NFC", "Übersicht.csv"),
    } <= files.keys()
    assert not {path.name for path in hidden} & {name.rpartition("/")[2] for name in files}
    assert build_archive(context).written == 0
    heft.unlink()
    build_archive(context)
    assert "hefte/Das Heft.pdf" not in tree(context.archive_folder)
    assert findings(publication) == []


@pytest.mark.parametrize(
    "name",
    ["archive/x.pdf", "Essays/x.pdf", "search/form.js", "images/x.png", "feed.xml", "STYLE.css",
     "index.html", "404.html", "robots.txt", "subscribe", "unsubscribe/x", "metrics"],
)  # fmt: skip
def test_a_name_that_is_the_archives_own_is_refused(publication: Publication, name: str) -> None:
    put(publication, name)
    assert findings(publication) == [("static-file", "error", f"content/static/{name}")]
    with pytest.raises(ContentError, match="static"):
        build_archive(publication.context())


def test_an_issue_is_not_sent_while_a_file_cannot_be_published(publication: Publication) -> None:
    put(publication, "feed.xml")
    publication.write_essay()
    publication.add_subscribers("anna@example.org")
    result = publication.run("issue", "send", "--yes", code=1)
    assert "content/static/feed.xml" in result.err
    assert publication.mails() == []


def test_every_path_of_the_web_server_is_reserved(publication: Publication) -> None:
    app = create_app(App(publication.context()))
    while not hasattr(app, "routes"):
        app = getattr(app, "_app", None) or app.app  # each of the layers around it
    first = {route.path.split("/")[1] for route in app.routes} - {"", "{path:path}"} | {"api"}
    assert {"subscribe", "images", "archive", "events"} < first
    assert [name for name in first if not is_reserved(name)] == []


def test_a_link_that_leads_out_of_the_folder_is_refused(publication: Publication) -> None:
    inside = put(publication, "a.txt")
    (inside.parent / "b.txt").symlink_to(inside)
    (inside.parent / "c.txt").symlink_to(publication.home / "newsletter.toml")
    assert findings(publication) == [("static-file", "error", "content/static/c.txt")]
    with pytest.raises(ContentError, match=r"content/static/c\.txt"):
        build_archive(publication.context())
    (inside.parent / "c.txt").unlink()
    context = publication.context()
    build_archive(context)
    assert tree(context.archive_folder)["b.txt"] == b"data"


def test_a_link_to_a_folder_or_to_nothing_is_told_rather_than_left_out(
    publication: Publication,
) -> None:
    """Neither is published: whoever laid it there would miss it only when readers do."""
    static = put(publication, "hefte/heft.pdf").parents[1]
    targets = {"aussen": "../..", "hefte-alt": "hefte", "kreis": "kreis", "leer": "nicht-da.pdf",
               "rundum": "."}  # fmt: skip
    for name, target in targets.items():
        (static / name).symlink_to(target)
    (static / ".versteckt").symlink_to("nirgends")
    places = [f"content/static/{name}" for name in targets]
    assert findings(publication) == [("static-file", "error", place) for place in places]
    for name in targets:
        (static / name).unlink()
    assert findings(publication) == []
    assert build_archive(publication.context()).written > 0


def test_the_place_of_a_file_with_an_invisible_name_is_one_line(publication: Publication) -> None:
    put(publication, "neu\nzeile\x1b[31m.txt")
    assert findings(publication) == [
        ("static-file", "error", "content/static/neu\ufffdzeile\ufffd[31m.txt")
    ]


@pytest.mark.parametrize("out", [False, True])
def test_a_file_becomes_a_folder_and_a_folder_a_file(
    publication: Publication, tmp_path: Path, out: bool
) -> None:
    context = publication.context()
    folder = tmp_path / "www" if out else context.archive_folder

    def build() -> ArchiveReport:
        return build_archive(context, folder if out else None)

    heft = put(publication, "heft")
    put(publication, "plan/nord/a.pdf")
    put(publication, "plan/b.pdf")
    build()
    heft.unlink()
    shutil.rmtree(heft.parent / "plan")
    put(publication, "heft/tief/index.html")
    put(publication, "heft/x.pdf")
    put(publication, "plan", b"file")
    report = build()
    assert (report.written, report.removed) == (3, 3)
    files = tree(folder)
    assert {name for name in files if name.startswith(("heft", "plan"))} == {
        "heft/tief/index.html",
        "heft/x.pdf",
        "plan",
    }
    assert not [name for name in files if "draft" in name]
    assert (build().written, build().removed) == (0, 0)


@pytest.mark.parametrize("foreign", ["plan/fremd.txt", "plan/leer/", "karte"])
def test_what_another_program_laid_in_the_way_stays_and_nothing_is_written(
    publication: Publication, foreign: str
) -> None:
    context = publication.context()
    folder = context.archive_folder
    put(publication, "plan/b.pdf")
    build_archive(context)
    shutil.rmtree(publication.home / "content/static/plan")
    put(publication, "plan")
    put(publication, "karte/nord.pdf")
    if foreign.endswith("/"):
        (folder / foreign).mkdir(parents=True)
    else:
        (folder / foreign).write_text("of another program")
    before = tree(folder)
    with pytest.raises(UpcycleError, match=foreign.rstrip("/")):
        build_archive(context)
    assert tree(folder) == before
    assert (folder / foreign).exists()


def test_two_ways_of_writing_one_name_are_refused(publication: Publication) -> None:
    for form in ("NFC", "NFD"):
        put(publication, unicodedata.normalize(form, "Türen.txt"))  # type: ignore[arg-type]
    assert [code for code, _, _ in findings(publication)] == ["static-file"]


def test_a_file_that_is_too_large_is_refused(
    publication: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    from upcycle_news.services.archive import static_files

    monkeypatch.setattr(static_files, "MAX_BYTES", 10)
    put(publication, "klein.bin", bytes(10))
    put(publication, "gross.bin", bytes(11))
    with pytest.raises(ContentError, match=r"content/static/gross\.bin"):
        static_files.read_static_files(publication.context())


def test_a_picture_that_says_where_it_was_taken_is_told(publication: Publication) -> None:
    put(publication, "hof.jpg", picture(place=True))
    put(publication, "tor.jpg", picture(place=False))
    put(publication, "kein-bild.jpg", b"text")
    assert findings(publication) == [("static-place", "warning", "content/static/hof.jpg")]


def test_pages_have_the_publications_own_icon_and_picture_or_a_drawn_icon(
    publication: Publication,
) -> None:
    publication.write_essay()
    publication.add_subscribers("anna@example.org")
    context = publication.context()
    send_issue(context)
    head = tree(context.archive_folder)["archive/2026-11-26/index.html"].decode()
    assert '<link rel="icon" href="../../favicon.svg" type="image/svg+xml">' in head
    assert "og:image" not in head
    assert b"<svg" in tree(context.archive_folder)["favicon.svg"]
    put(publication, "favicon.ico")
    put(publication, "apple-touch-icon.png")
    put(publication, "opengraph.png")
    build_archive(context)
    files = tree(context.archive_folder)
    assert "favicon.svg" not in files
    for path, up in (
        ("archive/2026-11-26/index.html", "../../"),
        ("index.html", ""),
        ("404.html", "/"),
    ):
        head = files[path].decode()
        assert f'<link rel="icon" href="{up}favicon.ico" type="image/x-icon">' in head
        assert f'<link rel="apple-touch-icon" href="{up}apple-touch-icon.png"' in head
    for path in (
        "archive/2026-11-26/index.html",
        "index.html",
        "essays/was-vom-bahnhof-bleibt/index.html",
    ):
        assert (
            '<meta property="og:image" content="https://umbaupost.example.net/opengraph.png">'
            in files[path].decode()
        )
