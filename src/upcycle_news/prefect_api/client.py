"""A client of Prefect's REST API, for the few requests that the package needs.

The package never imports Prefect; docs/dependencies.md says why. The URL comes from
``PREFECT_API_URL``, or from the file that `upcycle-news up` writes while it runs; the login from
``PREFECT_API_AUTH_STRING``.
"""

from __future__ import annotations

import os
import re
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

from upcycle_news.errors import UpcycleError
from upcycle_news.fileio import os_reason
from upcycle_news.i18n.messages import localized
from upcycle_news.models.runs import StaleRun
from upcycle_news.prefect_api.yaml_files import load_yaml

if TYPE_CHECKING:
    import httpx

ADDRESS_FILE = "api-url"
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED", "CANCELLING")
TIMEOUT = 15.0  # seconds for one response
# A server whose SQLite is locked answers 503 and has done nothing: it is asked again after so many seconds.
BUSY_PAUSES = (0.5, 2.0)


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
        raise PrefectApiError(localized("prefect-not-prefect", url=self.url))

    def deployment_id(self, name: str) -> str:
        """Return the id of the deployment ``flow/deployment``."""
        return str(self._call("GET", f"/deployments/name/{name}")["id"])

    def deployments(self, flow: str = "") -> list[dict[str, Any]]:
        """Return the deployments as Prefect has them: all, or those of the flow of that name."""
        wanted = {"flows": {"name": {"any_": [flow]}}} if flow else {}
        return list(self._call("POST", "/deployments/filter", {"limit": 200, **wanted}))

    def delete_deployment(self, deployment: str) -> None:
        """Delete a deployment and the runs it has scheduled; the runs that were started stay."""
        self._call("DELETE", f"/deployments/{deployment}", lost={})

    def is_paused(self, deployment: str) -> bool:
        """Return whether a deployment is paused; one that was deleted counts as paused."""
        return bool(self._call("GET", f"/deployments/{deployment}", lost={}).get("paused", True))

    def start_run(
        self,
        deployment: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        name: str = "",
        key: str = "",
        at: datetime | None = None,
        tags: Sequence[str] = (),
    ) -> str:
        """Start a run of a deployment, now or `at` a time; return its id, the same one for the same `key`.

        `name` is that of the run until it begins; Prefect invents one without.
        """
        body: dict[str, Any] = {"parameters": dict(parameters or {}), "tags": list(tags)}
        if name:
            body["name"] = name
        if key:
            body["idempotency_key"] = key
        if at is not None:
            body["state"] = _scheduled(at)
        return str(self._call("POST", f"/deployments/{deployment}/create_flow_run", body)["id"])

    def scheduled_runs(self, deployment: str, *, tag: str) -> tuple[str, ...]:
        """Return the runs of a deployment with this tag that are scheduled and that nobody has taken yet."""
        return self._runs(deployment, state={"type": {"any_": ["SCHEDULED"]}}, tags={"all_": [tag]})

    def starting_runs(self, deployment: str, since: datetime, until: datetime) -> tuple[str, ...]:
        """Return the runs of a deployment that were due between these times and have not begun."""
        return self._runs(
            deployment,
            state={"type": {"any_": ["SCHEDULED", "PENDING"]}},
            expected_start_time={"after_": since.isoformat(), "before_": until.isoformat()},
        )

    def _runs(self, deployment: str, **wanted: Any) -> tuple[str, ...]:
        body = {"deployments": {"id": {"any_": [deployment]}}, "flow_runs": wanted, "limit": 200}
        return tuple(str(row["id"]) for row in self._call("POST", "/flow_runs/filter", body))

    def postpone_run(self, run: str, at: datetime) -> None:
        """Schedule a run that has not started for another time."""
        self._call("POST", f"/flow_runs/{run}/set_state", {"state": _scheduled(at)}, lost={})

    def delete_run(self, run: str) -> None:
        """Delete a run; one that Prefect does not know is no error."""
        self._call("DELETE", f"/flow_runs/{run}", lost={})

    def renew_parameters(
        self, describe: Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
    ) -> int:
        """Replace the properties of each deployment's parameters by `describe(flow name, properties)`.

        Returns how many deployments changed. Types, defaults and what is required stay.
        """
        changed = 0
        for row in self.deployments():
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
            raise PrefectApiError(localized("prefect-not-found", method=method, path=path))
        try:
            return response.json() if response.content else {}
        except ValueError:  # a proxy's page
            raise PrefectApiError(localized("prefect-not-prefect", url=self.url)) from None

    def _request(
        self, method: str, path: str, body: Any = None, timeout: float = TIMEOUT
    ) -> httpx.Response:
        """Return a response that is a success or a 404; raises `PrefectApiError`."""
        response = self._send(method, path, body, timeout)
        for pause in BUSY_PAUSES:
            if response.status_code != 503:
                break
            time.sleep(pause)
            response = self._send(method, path, body, timeout)
        if response.status_code == 401:
            raise PrefectApiError(localized("prefect-wants-login", url=self.url))
        if response.status_code >= 400 and response.status_code != 404:
            raise PrefectApiError(
                localized("prefect-refused", method=method, path=path, status=response.status_code)
            )
        return response

    def _send(self, method: str, path: str, body: Any, timeout: float) -> httpx.Response:
        """Return any response; raises `PrefectApiError` when there is none."""
        import httpx

        user, _, password = self.login.partition(":")
        try:
            return httpx.request(
                method,
                self.url + path,
                json=body,
                auth=(user, password) if self.login else None,
                timeout=timeout,
                trust_env=False,  # our own server, not one behind a proxy
                verify=_tls(),
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise PrefectApiError(
                localized("prefect-silent", url=self.url, kind=type(error).__name__)
            ) from None


@cache
def _tls() -> ssl.SSLContext:
    """Return the context of all requests: to make one takes ten times as long as a request."""
    import httpx

    return httpx.create_ssl_context(trust_env=False)


def _scheduled(at: datetime) -> dict[str, Any]:
    return {"type": "SCHEDULED", "state_details": {"scheduled_time": at.isoformat()}}


def read_automations(file: Path, deployment_id: Callable[[str], str]) -> list[dict[str, Any]]:
    """Read the automations of a file, with deployment names replaced by `deployment_id(name)`.

    Raises `UpcycleError` when the file cannot be used.
    """
    try:
        automations = load_yaml(file.read_text(encoding="utf-8"))["automations"]
        for automation in automations:
            for action in automation["actions"]:
                if name := action.pop("deployment", ""):
                    action["deployment_id"] = deployment_id(name)
    except OSError as error:
        raise UpcycleError(localized("file-not-read", file=file, why=os_reason(error))) from None
    except (yaml.YAMLError, KeyError, TypeError, AttributeError):
        raise UpcycleError(localized("automations-none", file=file)) from None
    return list(automations)
