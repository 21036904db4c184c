from __future__ import annotations

from collections.abc import Iterator

import pytest

from upcycle_news.app.context import AppContext

from ..processes import free_port
from ..publications import Publication
from .web_server import WebServer, running_server


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def context(publication: Publication, port: int) -> AppContext:
    """A context whose public URL is the test's own web server."""
    publication.change_setting("https://umbaupost.example.net", f"http://127.0.0.1:{port}")
    return publication.context(AUDIENCE__TOPICS='["Bestand", "Kleinstadt"]')


@pytest.fixture
def server(context: AppContext, port: int) -> Iterator[WebServer]:
    with running_server(context, port) as made:
        yield made
