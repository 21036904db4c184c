"""`app.flows`: which flows there are, and the process that runs one. No process is started here."""

from __future__ import annotations

import sys

import pytest

from upcycle_news.api import App
from upcycle_news.errors import UpcycleError
from upcycle_news.prefect_api.client import ADDRESS_FILE
from upcycle_news_flows import read_parameters

from ..processes import free_port
from ..publications import Publication


@pytest.fixture
def app(publication: Publication, monkeypatch: pytest.MonkeyPatch) -> App:
    for name in ("PREFECT_API_URL", "PREFECT_HOME"):
        monkeypatch.delenv(name, raising=False)
    return App(publication.context())


def test_a_new_publication_holds_two_lines_for_each_packaged_flow(
    publication: Publication, app: App
) -> None:
    assert len(app.flows.names()) == 12
    for name in (*app.flows.names(), "serve"):
        text = (publication.home / f"flows/{name}.py").read_text(encoding="utf-8")
        assert len(text.splitlines()) == 2
        assert f'"upcycle_news_flows.{name}"' in text


def test_a_flow_of_ones_own_comes_before_the_packaged_one(
    publication: Publication, app: App
) -> None:
    own = publication.home / "flows/own.py"
    own.write_text("", encoding="utf-8")
    (publication.home / "flows/watch.py").unlink()
    assert "own" in app.flows.names()
    process = app.flows.process("own", {"day": 3})
    assert process.arguments == (sys.executable, "-W", "ignore", str(own), '{"day": 3}')
    assert process.folder == publication.home
    assert process.environment["UPCYCLE_NEWS_HOME"] == str(publication.home)
    assert app.flows.process("watch").arguments[-2:] == ("-m", "upcycle_news_flows.watch")


@pytest.mark.parametrize("name", ["gone", "serve", "../flows/watch", "", "watch.py"])
def test_an_unknown_flow_is_refused_with_the_names_there_are(
    publication: Publication, app: App, name: str
) -> None:
    with pytest.raises(UpcycleError, match="there are: backup, "):
        app.flows.process(name)
    assert "Es gibt: backup, " in publication.run("flow", name, code=2).err


def test_a_hyphen_counts_as_an_underscore(app: App) -> None:
    assert app.flows.process("publish-issue") == app.flows.process("publish_issue")


def test_a_run_stands_in_the_configured_server_else_in_a_temporary_one(
    publication: Publication, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = app.flows.process("tidy").environment
    assert "PREFECT_API_URL" not in temporary
    assert temporary["PREFECT_SERVER_EPHEMERAL_ENABLED"] == "true"
    assert temporary["PREFECT_HOME"] == str(publication.home / "var/prefect")
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200/api")
    monkeypatch.setenv("PREFECT_HOME", "/srv/prefect")
    configured = app.flows.process("tidy").environment
    assert configured["PREFECT_API_URL"] == "http://127.0.0.1:4200/api"
    assert configured["PREFECT_HOME"] == "/srv/prefect"
    alone = app.flows.process("tidy", with_server=False).environment
    assert "PREFECT_API_URL" not in alone


def test_the_address_of_a_server_that_was_killed_is_not_used(
    publication: Publication, app: App
) -> None:
    address = publication.home / "var/prefect" / ADDRESS_FILE
    address.parent.mkdir(parents=True)
    address.write_text(f"http://127.0.0.1:{free_port()}/api")
    assert "PREFECT_API_URL" not in app.flows.process("tidy").environment


def shape(day: int, colours: list[str] = [], *, wide: bool = False) -> None:  # noqa: B006
    """A function with the parameters of a flow."""


def test_parameters_are_read_from_one_json_object() -> None:
    assert read_parameters(shape, ['{"day": 3, "colours": ["a"]}']) == {"day": 3, "colours": ["a"]}


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (["{"], "not JSON"),
        (["[1]"], "a JSON object"),
        (["{}", "{}"], "one JSON object"),
        ([], "needed: day"),
        (['{"day": 1, "length": 2}'], "no parameter 'length': day, colours, wide"),
        (['{"day": "soon"}'], "parameter 'day': "),
        (['{"day": 1, "colours": 3}'], "parameter 'colours': "),
    ],
)
def test_parameters_that_do_not_fit_are_refused_with_a_sentence(
    texts: list[str], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_parameters(shape, texts)
