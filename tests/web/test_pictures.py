"""Pictures of an issue, where the publication hosts them."""

from __future__ import annotations

import pytest

from upcycle_news.app.context import AppContext

from .web_server import WebServer

NAME = "0123456789abcdef0123456789abcdef.png"


def test_a_published_picture_can_be_embedded_by_web_mail(
    context: AppContext, server: WebServer
) -> None:
    context.hosted_images_folder.mkdir(parents=True)
    (context.hosted_images_folder / NAME).write_bytes(b"picture")
    answer = server.get(f"/images/{NAME}")
    assert answer.status == 200
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "name", [NAME, "secret.key", "..%2Fsecrets%2Ftoken-1.key", NAME + "%0a", NAME.upper()]
)
def test_no_other_file_is_served_as_a_picture(
    context: AppContext, server: WebServer, name: str
) -> None:
    context.hosted_images_folder.mkdir(parents=True)
    (context.hosted_images_folder / "secret.key").write_text("x")
    assert server.get(f"/images/{name}").status == 404
