from __future__ import annotations

from collections.abc import Iterator

import pytest

from ...publications import Publication
from .api_client import ApiClient, api_client


@pytest.fixture
def api(publication: Publication) -> Iterator[ApiClient]:
    """The HTTP API of a publication, to which no test of one minute asks too often."""
    with api_client(publication.context(WEB__API_REQUESTS_PER_MINUTE="100000")) as client:
        yield client


@pytest.fixture
def api_on_any_store(publication: Publication, any_store: str) -> Iterator[ApiClient]:
    context = publication.context(WEB__API_REQUESTS_PER_MINUTE="100000", STORE=any_store)
    with api_client(context) as client:
        yield client
