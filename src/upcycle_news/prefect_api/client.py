"""Prefect's API over HTTP: the one module that talks to it. The package never imports Prefect.

The address comes from ``PREFECT_API_URL``, or from `upcycle-news up`, which writes it down while it
runs; the login from ``PREFECT_API_AUTH_STRING``.
"""

from __future__ import annotations

import os
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
TIMEOUT = 15.0  # seconds for one answer


class CockpitError(UpcycleError):
    """Prefect's API does not answer, or refuses."""


@dataclass(frozen=True)
class Seen:
    """An answer of the API: its status, what it says, and the server's time as HTTP has it."""

    status: int
    data: Any
    date: str


@dataclass(frozen=True)
class Cockpit:
    """Prefect's API at `url`, which ends in ``/api``; `login` is ``user:password`` or empty."""

    url: str
    login: str = ""

    @classmethod
    def find(
        cls, prefect_home: Path, environment: Mapping[str, str] | None = None
    ) -> Cockpit | None:
        """The API that is configured, or the one `upcycle-news up` runs; None when there is none."""
        known = os.environ if environment is None else environment
        url = known.get("PREFECT_API_URL", "")
        if not url:
            try:
                url = (prefect_home / ADDRESS_FILE).read_text(encoding="utf-8").strip()
            except OSError:
                return None
        return cls(url.rstrip("/"), known.get("PREFECT_API_AUTH_STRING", ""))

    @property
    def host(self) -> str:
        """Where the server is."""
        return urlsplit(self.url).hostname or ""

    def settle(self, waiting: StaleRun) -> None:
        """End or resume a run that waits in vain; one that Prefect lost is settled anyway."""
        if waiting.ended is not None:
            self.end(waiting.run, waiting.ended.name, waiting.ended.message)
        else:
            self.resume(waiting.run, {"decision": waiting.answer})

    def healthy(self) -> bool:
        """Whether the server answers by now."""
        try:
            return self._ask("GET", "/health") is True
        except CockpitError:
            return False

    def resume(self, run: str, answer: Mapping[str, Any]) -> bool:
        """Answer a run that waits; False when it does not wait any more."""
        found = self._ask("POST", f"/flow_runs/{run}/resume", {"run_input": dict(answer)}, lost={})
        return bool(found.get("status") == "ACCEPT")

    def end(self, run: str, name: str, message: str) -> None:
        """End a run that waits in vain, as cancelled, with a sentence."""
        state = {"type": "CANCELLED", "name": name, "message": message}
        self._ask("POST", f"/flow_runs/{run}/set_state", {"state": state, "force": True}, lost={})

    def deployment(self, name: str) -> str:
        """The id of the deployment ``flow/deployment``."""
        return str(self._ask("GET", f"/deployments/name/{name}")["id"])

    def save_automation(self, automation: Mapping[str, Any]) -> bool:
        """Create an automation, or replace the one of its name; True when it is new."""
        wanted = {"automations": {"name": {"any_": [automation["name"]]}}}
        found = self._ask("POST", "/automations/filter", wanted)
        if found:
            self._ask("PUT", f"/automations/{found[0]['id']}", automation)
        else:
            self._ask("POST", "/automations/", automation)
        return not found

    def look(self, path: str, body: Any = None, *, timeout: float = TIMEOUT) -> Seen:
        """Ask without changing anything: POST for what takes a filter, else GET; 404 is an answer."""
        answer = self._request("GET" if body is None else "POST", path, body, timeout)
        return Seen(answer.status_code, answer.json(), answer.headers.get("date", ""))

    def _ask(self, method: str, path: str, body: Any = None, lost: Any = None) -> Any:
        """Ask; `lost` is the answer for something Prefect does not know (any more)."""
        answer = self._request(method, path, body)
        if answer.status_code == 404:
            if lost is not None:
                return lost
            raise CockpitError(f"Prefect's API refused {method} {path}: 404")
        return answer.json() if answer.content else {}

    def _request(
        self, method: str, path: str, body: Any = None, timeout: float = TIMEOUT
    ) -> httpx.Response:
        """An answer that is no refusal, or 404; raises `CockpitError`."""
        import httpx

        user, _, password = self.login.partition(":")
        try:
            answer = httpx.request(
                method,
                self.url + path,
                json=body,
                auth=(user, password) if self.login else None,
                timeout=timeout,
                trust_env=False,  # our own server, not one behind a proxy
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise CockpitError(
                f"Prefect's API at {self.url} does not answer ({type(error).__name__}): "
                "start it with 'upcycle-news up', or mend PREFECT_API_URL"
            ) from None
        if answer.status_code == 401:
            raise CockpitError(
                f"Prefect's API at {self.url} wants a login: set PREFECT_API_AUTH_STRING"
            )
        if answer.status_code >= 400 and answer.status_code != 404:
            raise CockpitError(f"Prefect's API refused {method} {path}: {answer.status_code}")
        return answer


def read_automations(file: Path, deployment_id: Callable[[str], str]) -> list[dict[str, Any]]:
    """The automations of a file; a deployment that an action names becomes its id.

    Raises `UpcycleError` when the file cannot be used.
    """
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))["automations"]
        for automation in found:
            for action in automation["actions"]:
                if name := action.pop("deployment", ""):
                    action["deployment_id"] = deployment_id(name)
    except OSError as error:
        raise UpcycleError(f"{file}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, KeyError, TypeError, AttributeError):
        raise UpcycleError(
            f"{file}: is not a list of automations; see deploy/automations.yaml"
        ) from None
    return list(found)
