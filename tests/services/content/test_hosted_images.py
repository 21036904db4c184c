"""Pictures that lie below the public address: published first, and answering before anybody reads."""

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
from upcycle_news.services.issues.render import render_issue

from ...publications import Publication, relay_at
from ...rendering.sample_manifest import png

ISSUE = IssueId.parse("2026-11-26")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(publication: Publication) -> Iterator[str]:
    """A web server for var/archive; its address."""
    folder = publication.home / "var" / "archive"
    folder.mkdir(parents=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def with_picture(publication: Publication, **environment: str) -> AppContext:
    (publication.home / "content/images").mkdir(exist_ok=True)
    (publication.home / "content/images/haus.png").write_bytes(png(60, 40))
    publication.essay(image="haus.png", image_alt="Ein Haus")
    return publication.context(**environment)


def test_without_an_address_of_our_own_pictures_travel_in_the_mail(
    publication: Publication,
) -> None:
    context = with_picture(publication)
    rendered = render_issue(context, ISSUE, compose_issue(context, ISSUE).revision_id).rendered
    assert len(rendered.images) == 1
    assert 'src="cid:' in rendered.html
    assert not (publication.home / "var/archive").exists()


def test_with_an_address_of_our_own_they_are_hosted_there(publication: Publication) -> None:
    context = with_picture(publication, PUBLICATION__PUBLIC_URL="https://post.umbau-verein.de")
    rendered = render_issue(context, ISSUE, compose_issue(context, ISSUE).revision_id)
    (file,) = (publication.home / "var/archive/images").iterdir()
    assert rendered.rendered.images == ()
    assert f'src="https://post.umbau-verein.de/images/{file.name}"' in rendered.rendered.html
    assert file.read_bytes() == png(60, 40)
    assert rendered.errors == ()


def test_they_may_be_embedded_all_the_same(publication: Publication) -> None:
    context = with_picture(
        publication,
        PUBLICATION__PUBLIC_URL="https://post.umbau-verein.de",
        ISSUE__IMAGES="embedded",
    )
    assert compose_manifest(context, ISSUE).publication.images == "embedded"


def test_nobody_gets_a_mail_whose_pictures_do_not_answer(
    publication: Publication, site: str
) -> None:
    context = with_picture(
        publication,
        PUBLICATION__PUBLIC_URL=site,
        ISSUE__IMAGES="hosted",
        **relay_at(1),
    )
    manifest = compose_manifest(context, ISSUE)
    raise_if_images_unreachable(context, manifest)  # published and answering
    (file,) = (publication.home / "var/archive/images").iterdir()
    file.write_bytes(b"another picture")
    with pytest.raises(IssueError, match="something else lies there"):
        raise_if_images_unreachable(context, manifest)
    elsewhere = with_picture(
        publication,
        PUBLICATION__PUBLIC_URL=f"{site}/nowhere",
        ISSUE__IMAGES="hosted",
        **relay_at(1),
    )
    with pytest.raises(IssueError, match=r"404.*publish .*archive/images there, or write images"):
        raise_if_images_unreachable(elsewhere, compose_manifest(elsewhere, ISSUE))


def test_a_picture_is_scaled_once(publication: Publication, tmp_path: Path) -> None:
    del tmp_path
    context = with_picture(publication)
    compose_manifest(context, ISSUE)
    (kept,) = (publication.home / "var/images").iterdir()
    kept.write_bytes(png(30, 20))
    assert compose_manifest(context, ISSUE).images == {"haus.png": png(30, 20)}
