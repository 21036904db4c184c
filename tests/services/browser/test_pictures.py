"""Pictures of an issue: beside its preview by command, small ones in the approval's page."""

from __future__ import annotations

import io
import re
from base64 import b64decode
from pathlib import Path

import pytest
from PIL import Image

from upcycle_news.models import IssueId
from upcycle_news.services.browser.pictures import small_pictures
from upcycle_news.services.issues import approval
from upcycle_news.services.issues.essay_filter import EssayFilter
from upcycle_news.services.issues.render import render_revision
from upcycle_news.services.issues.revisions import find_revision
from upcycle_news.services.runs import steps

from ...publications import Publication
from ...web.browser_session import chromium

ISSUE = IssueId.parse("2026-11-26")
NAMES = ("phone", "phone-dark", "desktop", "desktop-dark")


def size(data: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(data)) as image:
        return image.size


def test_the_command_writes_four_pictures_beside_the_preview_and_names_them(
    publication: Publication,
) -> None:
    publication.write_essay()
    preview = ("issue", "preview", "--no-open", "--no-collect", "--pictures")
    files = publication.run(*preview, "--json", BROWSER__CHROMIUM=chromium()).json["files"]
    pictures = {name: Path(files[name]).read_bytes() for name in NAMES}
    assert [size(picture)[0] for picture in pictures.values()] == [375, 375, 680, 680]
    assert len(set(pictures.values())) == 4
    assert {Path(files[name]).parent for name in NAMES} == {Path(files["html"]).parent}
    printed = publication.run(*preview, BROWSER__CHROMIUM=chromium()).out
    for name in NAMES:
        assert f"issue-{name}.png" in printed


def test_without_a_chromium_the_preview_is_there_and_no_picture_of_an_earlier_state(
    publication: Publication,
) -> None:
    publication.write_essay()
    preview = ("issue", "preview", "--no-open", "--no-collect")
    files = publication.run(*preview, "--pictures", "--json", BROWSER__CHROMIUM=chromium()).json[
        "files"
    ]
    publication.write_essay(text="Ein anderer Text.\n")
    refused = publication.run(*preview, "--pictures", code=1)
    assert "kein Chromium" in refused.err
    assert "preview.html" in refused.out
    assert "Ein anderer Text" in Path(files["html"]).read_text()
    assert not any(Path(files[name]).exists() for name in NAMES)
    assert "phone" not in publication.run(*preview, "--json").json["files"]


def test_the_approvals_page_shows_a_phone_and_a_desktop_in_few_bytes(
    publication: Publication,
) -> None:
    publication.write_essay(text="Der Bahnhof der Kleinstadt wird umgebaut.\n\n" * 60)
    context = publication.context(BROWSER__CHROMIUM=chromium())
    revision = steps.compose(context, ISSUE, EssayFilter(), run="run").revision_id
    page = approval.request_approval(context, ISSUE, revision, run="run").markdown
    found = re.findall(r'<img alt="(\w+)" src="data:image/webp;base64,([\w+/=]+)">', page)
    assert [alt for alt, _ in found] == ["Telefon", "Computer"]
    assert [size(b64decode(data)) for _, data in found] == [(150, 360), (272, 360)]
    assert all(len(data) < 60_000 for _, data in found)
    assert page.index("<img") < page.index("Entscheiden:")


@pytest.mark.parametrize("setting", ["off", "/nowhere/chromium", "/bin/false"])
def test_an_approval_does_not_depend_on_its_pictures(
    publication: Publication, setting: str
) -> None:
    publication.write_essay()
    context = publication.context(BROWSER__CHROMIUM=setting)
    revision = steps.compose(context, ISSUE, EssayFilter(), run="run").revision_id
    page = approval.request_approval(context, ISSUE, revision, run="run").markdown
    assert "<img" not in page
    assert "Entscheiden:" in page


def test_without_a_chromium_in_path_there_are_no_pictures(
    publication: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    publication.write_essay()
    context = publication.context()
    revision = steps.compose(context, ISSUE, EssayFilter(), run="run").revision_id
    rendered = render_revision(context, find_revision(context, ISSUE, revision))
    monkeypatch.setenv("PATH", "/nowhere")
    assert small_pictures(rendered.content, "auto") == {}
