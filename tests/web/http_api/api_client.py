"""A client of the HTTP API of a test's publication, on loopback."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from upcycle_news.api import App
from upcycle_news.app.context import AppContext
from upcycle_news.models.api_tokens import ApiScope
from upcycle_news.web.http_api.problems import TYPE_PREFIX

from ...processes import free_port
from ..web_server import running_server

ANNA, BERT = "anna@example.org", "bert@example.org"


@dataclass
class ApiClient:
    """Requests with a token of its own for each set of scopes."""

    context: AppContext
    client: httpx.Client
    _names: Iterator[int] = field(default_factory=itertools.count)
    _secrets: dict[tuple[str, ...], str] = field(default_factory=dict)

    @property
    def app(self) -> App:
        return App(self.context)

    def token(self, *scopes: str, expires: str = "") -> str:
        """Make a token and return its secret."""
        name = f"token-{next(self._names)}"
        return self.app.tokens.create(name, scopes, expires=expires).secret

    def ask(
        self,
        method: str,
        path: str,
        *scopes: str,
        json: Any = None,
        secret: str | None = None,
        **headers: str,
    ) -> httpx.Response:
        """Send a request with a token that has these scopes, or with this secret."""
        if secret is None:
            if scopes not in self._secrets:
                self._secrets[scopes] = self.token(*scopes)
            secret = self._secrets[scopes]
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if secret:
            sent.setdefault("Authorization", f"Bearer {secret}")
        return self.client.request(method, f"/api/v1{path}", json=json, headers=sent)

    def done(self, method: str, path: str, *scopes: str, json: Any = None, **more: str) -> Any:
        """Return the JSON of a request that must succeed; None without a body."""
        answer = self.ask(method, path, *scopes, json=json, **more)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None


@contextmanager
def api_client(context: AppContext) -> Iterator[ApiClient]:
    with (
        running_server(context, free_port()) as server,
        # Reading the certificates of this machine would take most of the start; there is no TLS.
        httpx.Client(base_url=server.url, timeout=60, trust_env=False, verify=False) as client,
    ):
        yield ApiClient(context, client)


def problem(answer: httpx.Response) -> str:
    """Return the kind of problem of an answer, which must be one in due form."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    members = answer.json()
    assert members["status"] == answer.status_code
    assert members["title"]
    return str(members["type"].removeprefix(TYPE_PREFIX))


ALL_SCOPES = tuple(ApiScope)
