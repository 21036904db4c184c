"""A client of Prefect's REST API, for the few requests that the package needs.

The package never imports Prefect; docs/dependencies.md says why. The URL comes from
``PREFECT_API_URL``, or from the file that `upcycle-news up` writes while it runs; the login from
``PREFECT_API_AUTH_STRING``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

from upcycle_news.errors import UpcycleError
from upcycle_news.models.runs import StaleRun

if TYPE_CHECKING:
    import httpx

ADDRESS_FILE = "api-url"
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED", "CANCELLING")
TIMEOUT = 15.0  # seconds for one response


class PrefectApiError(UpcycleError):
    """Prefect's API cannot be reached, or answers with an error."""


@dataclass(frozen=True)
class ApiResponse:
    """A response: HTTP status, decoded JSON, and the Date header (the server's clock)."""

    status: int
    data: Any
    date: str


@dataclass(frozen=True)
class PrefectClient:
    """The API at `url`, which ends in ``/api``; `login` is ``user:password`` or empty."""

    url: str
    login: str = ""

    @classmethod
    def find(
        cls, prefect_home: Path, environment: Mapping[str, str] | None = None
    ) -> PrefectClient | None:
        """Return a client of the configured API or that of `upcycle-news up`; None without either."""
        variables = os.environ if environment is None else environment
        url = variables.get("PREFECT_API_URL", "")
        if not url:
            try:
                url = (prefect_home / ADDRESS_FILE).read_text(encoding="utf-8").strip()
            except OSError:
                return None
        return cls(url.rstrip("/"), variables.get("PREFECT_API_AUTH_STRING", ""))

    @property
    def host(self) -> str:
        """The server's host name."""
        return urlsplit(self.url).hostname or ""

    def resolve_stale_run(self, stale: StaleRun) -> None:
        """Cancel or resume a stale run; one that Prefect does not know any more is no error."""
        if stale.ended is not None:
            self.cancel(stale.run, stale.ended.name, stale.ended.message)
        else:
            self.resume(stale.run, {"decision": stale.answer})

    def is_healthy(self) -> bool:
        """True if the server answers its health check."""
        try:
            return self._call("GET", "/health") is True
        except PrefectApiError:
            return False

    def resume(self, run: str, answer: Mapping[str, Any]) -> bool:
        """Resume a suspended run with the form's answer; False when it does not wait any more."""
        response = self._call(
            "POST", f"/flow_runs/{run}/resume", {"run_input": dict(answer)}, lost={}
        )
        return bool(response.get("status") == "ACCEPT")

    def cancel(self, run: str, name: str, message: str) -> None:
        """End a suspended run as cancelled, with a state name and a sentence."""
        state = {"type": "CANCELLED", "name": name, "message": message}
        self._call("POST", f"/flow_runs/{run}/set_state", {"state": state, "force": True}, lost={})

    def run_page(self, run: str) -> str:
        """Return the address of a run in Prefect's pages; ``PREFECT_UI_URL`` says where they are else."""
        pages = os.environ.get("PREFECT_UI_URL", "") or self.url.removesuffix("/api")
        return f"{pages.rstrip('/')}/runs/flow-run/{run}"

    def has_ended(self, run: str) -> bool:
        """Return whether a run has ended, is being cancelled, or was deleted.

        Deleted is what Prefect itself says it does not find; raises `PrefectApiError` for all else that
        leaves it open, such as a proxy's 404.
        """
        response = self._request("GET", f"/flow_runs/{run}")
        try:
            body = response.json()
            if response.status_code == 404:
                if body["detail"] == "Flow run not found":
                    return True
            else:
                return str(body["state"]["type"]) in ENDED
        except (ValueError, KeyError, TypeError):
            pass
        raise PrefectApiError(
            f"{self.url} does not answer as Prefect's API does: correct PREFECT_API_URL"
        )

    def deployment_id(self, name: str) -> str:
        """Return the id of the deployment ``flow/deployment``."""
        return str(self._call("GET", f"/deployments/name/{name}")["id"])

    def renew_parameters(
        self, describe: Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
    ) -> int:
        """Replace the properties of each deployment's parameters by `describe(flow name, properties)`.

        Returns how many deployments changed. Types, defaults and what is required stay.
        """
        changed = 0
        for row in self._call("POST", "/deployments/filter", {"limit": 200}):
            flow = re.split("[.:]", str(row["entrypoint"]))[-1].replace("_", "-")
            schema = row["parameter_openapi_schema"] or {}
            old = schema.get("properties") or {}
            new = describe(flow, old)
            if new != old:
                body = {"parameter_openapi_schema": {**schema, "properties": new}}
                self._call("PATCH", f"/deployments/{row['id']}", body)
                changed += 1
        return changed

    def save_automation(self, automation: Mapping[str, Any]) -> bool:
        """Create an automation, or replace the one of that name; True when it is new."""
        by_name = {"automations": {"name": {"any_": [automation["name"]]}}}
        existing = self._call("POST", "/automations/filter", by_name)
        if existing:
            self._call("PUT", f"/automations/{existing[0]['id']}", automation)
        else:
            self._call("POST", "/automations/", automation)
        return not existing

    def query(self, path: str, body: Any = None, *, timeout: float = TIMEOUT) -> ApiResponse:
        """Read from the API: POST when `body` is a filter, else GET; 404 is a valid response."""
        response = self._request("GET" if body is None else "POST", path, body, timeout)
        return ApiResponse(response.status_code, response.json(), response.headers.get("date", ""))

    def _call(self, method: str, path: str, body: Any = None, lost: Any = None) -> Any:
        """Return the decoded response; `lost` replaces that of an object Prefect does not know."""
        response = self._request(method, path, body)
        if response.status_code == 404:
            if lost is not None:
                return lost
            raise PrefectApiError(f"Prefect's API refused {method} {path}: 404")
        return response.json() if response.content else {}

    def _request(
        self, method: str, path: str, body: Any = None, timeout: float = TIMEOUT
    ) -> httpx.Response:
        """Return a response that is a success or a 404; raises `PrefectApiError`."""
        import httpx

        user, _, password = self.login.partition(":")
        try:
            response = httpx.request(
                method,
                self.url + path,
                json=body,
                auth=(user, password) if self.login else None,
                timeout=timeout,
                trust_env=False,  # our own server, not one behind a proxy
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise PrefectApiError(
                f"Prefect's API at {self.url} does not answer ({type(error).__name__}): "
                "start it with 'upcycle-news up', or correct PREFECT_API_URL"
            ) from None
        if response.status_code == 401:
            raise PrefectApiError(
                f"Prefect's API at {self.url} wants a login: set PREFECT_API_AUTH_STRING"
            )
        if response.status_code >= 400 and response.status_code != 404:
            raise PrefectApiError(f"Prefect's API refused {method} {path}: {response.status_code}")
        return response


def read_automations(file: Path, deployment_id: Callable[[str], str]) -> list[dict[str, Any]]:
    """Read the automations of a file, with deployment names replaced by `deployment_id(name)`.

    Raises `UpcycleError` when the file cannot be used.
    """
    try:
        automations = yaml.safe_load(file.read_text(encoding="utf-8"))["automations"]
        for automation in automations:
            for action in automation["actions"]:
                if name := action.pop("deployment", ""):
                    action["deployment_id"] = deployment_id(name)
    except OSError as error:
        raise UpcycleError(f"{file}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, KeyError, TypeError, AttributeError):
        raise UpcycleError(
            f"{file}: is not a list of automations; see deploy/automations.yaml"
        ) from None
    return list(automations)
