"""`upcycle-news up` in a new publication, and the doctor beside it."""

from __future__ import annotations

import json
import shutil
import signal
import socket

import pytest

from ..publications import Publication
from ..waiting import wait_until

pytestmark = [pytest.mark.prefect, pytest.mark.slow, pytest.mark.xdist_group("prefect")]


@pytest.mark.timeout(300)  # a server that makes its database, and a runner, on a busy machine
def test_up_starts_in_a_new_publication_and_the_doctor_reports_no_problem(
    publication: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PREFECT_API_URL", "PREFECT_HOME"):
        monkeypatch.delenv(name, raising=False)
    shutil.rmtree(publication.home / "var")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    up = publication.start("up", "--port", str(port))
    address = publication.home / "var/prefect/api-url"
    try:
        states: dict[str, str] = {}

        def is_ready() -> bool:
            assert up.poll() is None, up.communicate()
            if address.is_file():
                # In the first seconds nothing is deployed yet, which is red.
                out, _ = publication.start("doctor", "prefect", "--json").communicate(timeout=120)
                results = json.loads(out)["groups"]["prefect"]
                states.update({result["check"]: result["state"] for result in results})
            last = ("prefect-deployments", "prefect-workers")  # the runner asks for work after that
            return {states.get(check) for check in last} == {"ok"}

        wait_until(is_ready, lambda: f"Prefect is not ready: {states}", seconds=180)
    finally:
        up.send_signal(signal.SIGINT)
        out, err = up.communicate(timeout=60)
    assert up.returncode == 0, err
    assert f"Prefect ist unter http://127.0.0.1:{port} erreichbar" in out
    assert "upcycle-news web" in out
    assert states == {
        "prefect": "ok",
        "prefect-login": "ok",
        "prefect-deployments": "ok",
        "prefect-workers": "ok",
        "prefect-late": "ok",
        "clock": "ok",
        "alarms": "warning",
    }
    assert not address.exists()
