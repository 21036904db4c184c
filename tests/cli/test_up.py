"""What keeps `upcycle-news up` from starting, reported before anything is started."""

from __future__ import annotations

import fcntl
import socket

import pytest

from ..publications import Publication


@pytest.fixture(autouse=True)
def _no_server_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PREFECT_API_URL", "PREFECT_HOME"):
        monkeypatch.delenv(name, raising=False)


def test_an_unwritable_folder_is_reported_with_the_fix(publication: Publication) -> None:
    (publication.home / "var/prefect").write_text("no folder")
    output = publication.run("up", "--port", "1", code=1).err
    assert "var/prefect: Der Ordner lässt sich nicht beschreiben: " in output
    assert "UPCYCLE_NEWS_STATE" in output


def test_a_port_in_use_is_reported_at_once(publication: Publication) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        output = publication.run("up", "--port", port, code=1).err
    assert f"Port {port} von 127.0.0.1 lässt sich nicht benutzen" in output
    assert "--port" in output
    publication.run("up", "--port", "70000", code=2)


def test_a_second_up_for_the_same_publication_is_refused(
    publication: Publication,
) -> None:
    home = publication.home / "var/prefect"
    home.mkdir()
    address = home / "api-url"
    address.write_text("http://127.0.0.1:9/api")
    with (home / "up.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        output = publication.run("up", "--port", "1", code=1).err
    assert "läuft für diese Publikation schon" in output
    assert address.exists()
