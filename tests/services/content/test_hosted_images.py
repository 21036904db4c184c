"""Images hosted below the public URL: published, and checked before an issue is sent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.errors import IssueError
from upcycle_news.models import IssueId
from upcycle_news.services.content.images import raise_if_images_unreachable
from upcycle_news.services.issues.compose import compose_issue, compose_manifest
from upcycle_news.services.issues.render import render_revision

from ...publications import Publication, relay_variables
from ...rendering.sample_manifest import png

ISSUE = IssueId.parse("2026-11-26")


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(publication: Publication) -> Iterator[str]:
    """A web server for var/archive; its address."""
    folder = publication.home / "var" / "archive"
    folder.mkdir(parents=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietHandler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def with_image(publication: Publication, **environment: str) -> AppContext:
    (publication.home / "content/images").mkdir(exist_ok=True)
    (publication.home / "content/images/haus.png").write_bytes(png(60, 40))
    publication.write_essay(image="haus.png", image_alt="Ein Haus")
    return publication.context(**environment)


def test_without_a_public_url_images_are_embedded(
    publication: Publication,
) -> None:
    context = with_image(publication)
    rendered = render_revision(context, compose_issue(context, ISSUE)).content
    assert len(rendered.images) == 1
    assert 'src="cid:' in rendered.html
    assert not (publication.home / "var/archive").exists()


def test_with_a_public_url_images_are_hosted_there(publication: Publication) -> None:
    context = with_image(publication, PUBLICATION__PUBLIC_URL="https://post.umbau-verein.de")
    rendered = render_revision(context, compose_issue(context, ISSUE))
    (file,) = (publication.home / "var/archive/images").iterdir()
    assert rendered.content.images == ()
    assert f'src="https://post.umbau-verein.de/images/{file.name}"' in rendered.content.html
    assert file.read_bytes() == png(60, 40)
    assert rendered.errors == ()


def test_images_may_be_embedded_despite_a_public_url(publication: Publication) -> None:
    context = with_image(
        publication,
        PUBLICATION__PUBLIC_URL="https://post.umbau-verein.de",
        ISSUE__IMAGES="embedded",
    )
    assert compose_manifest(context, ISSUE).publication.images == "embedded"


def test_an_issue_whose_images_cannot_be_loaded_is_refused(
    publication: Publication, site: str
) -> None:
    context = with_image(
        publication,
        PUBLICATION__PUBLIC_URL=site,
        ISSUE__IMAGES="hosted",
        **relay_variables(1),
    )
    manifest = compose_manifest(context, ISSUE)
    raise_if_images_unreachable(context, manifest)  # published and answering
    (file,) = (publication.home / "var/archive/images").iterdir()
    file.write_bytes(b"another picture")
    with pytest.raises(IssueError, match="it answers with other content"):
        raise_if_images_unreachable(context, manifest)
    elsewhere = with_image(
        publication,
        PUBLICATION__PUBLIC_URL=f"{site}/nowhere",
        ISSUE__IMAGES="hosted",
        **relay_variables(1),
    )
    with pytest.raises(IssueError, match=r"404.*publish .*archive/images there, or write images"):
        raise_if_images_unreachable(elsewhere, compose_manifest(elsewhere, ISSUE))


def test_an_image_is_scaled_once(publication: Publication, tmp_path: Path) -> None:
    del tmp_path
    context = with_image(publication)
    compose_manifest(context, ISSUE)
    (cached,) = (publication.home / "var/images").iterdir()
    cached.write_bytes(png(30, 20))
    assert compose_manifest(context, ISSUE).images == {"haus.png": png(30, 20)}
