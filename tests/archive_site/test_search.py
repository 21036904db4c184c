"""Searching the archive in a browser: what is found, how little is loaded, and who can use it."""

from __future__ import annotations

import itertools
import json
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

import pytest

from upcycle_news.archive_site.builder import build_archive
from upcycle_news.archive_site.reuse import KeptSearch, decode_search, encode_search
from upcycle_news.archive_site.search_index import (
    SearchDocument,
    SearchIndex,
    search_files,
    search_scripts,
    term_of,
    words,
)
from upcycle_news.archive_site.view_models import EditorNote
from upcycle_news.text.stemming import stem

from ..rendering.page_screenshots import node_tool
from ..waiting import wait_until
from ..web.browser_session import Page, browsing
from .sample_archive import CONFIG, built, sent, static_host, write_files


def words_of(text: str) -> list[str]:
    return text.split()


DOCS = Path(__file__).parents[2] / "docs"

NOUNS = words_of(
    "Acker Balken Brücke Dach Decke Dorf Eisen Fabrik Fassade Fenster Garten Gasse Giebel Glas Halle "
    "Hof Holz Kanal Keller Kies Kirche Küche Laden Lager Lehm Markt Mauer Mühle Museum Nagel Ofen Papier "
    "Pfosten Platte Rampe Regal Rinne Sand Schiene Schule Speicher Stein Stube Tor Treppe Turm Ufer "
    "Wagen Wald Wand Weg Werkzeug Wiese Zaun Ziegel Zimmer"
)
VERBS = words_of(
    "bauen heben kaufen legen messen pflegen prüfen sägen sammeln schleifen tragen zählen"
)
SMALL = words_of(
    "der die das und mit auf für von aus ist wird hat nicht auch bei ein eine im am zum"
)


def document(
    number: int, title: str, text: str, *, language: str = "de", byline: str = "", summary: str = ""
) -> SearchDocument:
    return SearchDocument.of(
        (title, f"essays/e{number}/", "2026-11-26", "26. November 2026", byline, summary,
         "" if language == "de" else language, ""),
        language,
        ((title, 8), (f"{summary} {byline}", 3), (text, 1)),
    )  # fmt: skip


KNOWN = (
    ("Der Bahnhof von Halle", "Seit 1962 steht das Gebäude leer."),
    ("Ein Kaufhaus wird umgebaut", "Die Rolltreppen bleiben, die Kassen nicht."),
    ("Was eine Haustür erzählt", "Sie ist aus Eiche und klemmt."),
    ("Reparaturcafés auf dem Land", "Man wartet, bis jemand Zeit hat."),
    ("Eine Bibliothek für alle", "Der Umbau dauerte ein Jahr."),
    ("Strom vom eigenen Dach", "Photovoltaik lohnt sich auch an der Nordseite."),
    ("Grüße aus der Lutherstraße", "Ein Brief an die Nachbarn."),
    ("Lob der Schraube", "Wer klebt, bereut es später."),
    ("Das Café Zentral", "Es öffnet um sieben."),
    ("Vom Wert der Pausen", "Niemand misst sie."),
)
QUERIES = {
    "Bahnhöfen": "Der Bahnhof von Halle",
    "Bahnhofs": "Der Bahnhof von Halle",
    "leeres Gebäude 1962": "Der Bahnhof von Halle",
    "umgebaute Kaufhäuser": "Ein Kaufhaus wird umgebaut",
    "KAUFHAUS": "Ein Kaufhaus wird umgebaut",
    "Rolltreppe": "Ein Kaufhaus wird umgebaut",
    "Türen": "Was eine Haustür erzählt",
    "Haustüren": "Was eine Haustür erzählt",
    "Reparatur": "Reparaturcafés auf dem Land",
    "Reparaturen": "Reparaturcafés auf dem Land",
    "Bibliotheken": "Eine Bibliothek für alle",
    "Bibliotheksumbau": "Eine Bibliothek für alle",
    "Photovol": "Strom vom eigenen Dach",
    "Gruesse": "Grüße aus der Lutherstraße",
    "Lutherstrasse": "Grüße aus der Lutherstraße",
    "Lob der Schrauben": "Lob der Schraube",
    "cafe zentral": "Das Café Zentral",
    "Jonas Muster": "Vom Wert der Pausen",
    "libraries": "A library in a department store",
    "متجر": "متجر",
}


@cache
def documents() -> tuple[SearchDocument, ...]:
    """The essays of 300 issues with a vocabulary of thousands of words, and ten with known words."""
    chance = random.Random(20)
    compounds = [f"{one}{other.lower()}" for one, other in itertools.permutations(NOUNS, 2)]
    vocabulary = [*SMALL, *VERBS, *NOUNS, *compounds]
    weights = list(itertools.accumulate(1 / (rank + 4) for rank in range(len(vocabulary))))

    def text(length: int) -> str:
        return " ".join(chance.choices(vocabulary, cum_weights=weights, k=length))

    others = [
        document(number, text(4), text(500), summary=text(20), byline="Erika Beispiel")
        for number in range(890)
    ]
    known = [document(900 + number, *one) for number, one in enumerate(KNOWN)]
    known[-1] = document(900 + len(KNOWN) - 1, *KNOWN[-1], byline="Jonas Muster")
    foreign = [
        document(920, "A library in a department store", "It is open.", language="en"),
        document(921, "متجر", "هذا متجر.", language="ar"),
    ]
    return (*others[:400], *known, *others[400:], *foreign)


@cache
def index() -> dict[str, bytes]:
    # The parts of a compound are known from the vocabulary, or stand alone in another text.
    return search_files(documents(), "Tür Reparatur Café")


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with browsing() as page:
        yield page


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The pages of the sample archive with the large index, on a static host below a path."""
    folder = tmp_path_factory.mktemp("host")
    pages = {path: data for path, data in built().files.items() if not path.endswith(".json")}
    write_files(folder / "post" / "archiv", {**pages, **search_scripts(), **index()})
    with static_host(folder) as url:
        yield f"{url}/post/archiv"


def press(browser: Page, key: str, code: int, text: str = "") -> None:
    for kind in ("keyDown", "keyUp"):
        browser.ask(
            "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code,
            **({"text": text} if text and kind == "keyDown" else {}),
        )  # fmt: skip


def ask(browser: Page, query: str) -> str:
    """Type a query and press Enter, as a person does; return what the live region says then."""
    browser.run("document.querySelector('#q').value = ''")
    browser.type("#q", query)
    press(browser, "Enter", 13, "\r")
    said = "document.querySelector('#search-status').textContent"
    wait_until(
        lambda: (
            browser.run(said) not in ("", "Die Suche läuft\u00a0…", "Die Suche läuft …")
            and browser.run(f"new URL(location).searchParams.get('q') === {json.dumps(query)}")
        ),
        "no answer",
    )
    return str(browser.run(said))


def titles(browser: Page) -> list[str]:
    return list(
        browser.run("[...document.querySelectorAll('#search-results h3')].map(h => h.innerText)")
    )


@pytest.mark.chromium
def test_the_search_reads_words_as_the_index_does(browser: Page, host: str) -> None:
    endings = words_of(
        "em erinnen erin ern er e en es s ln lns et st est end ung ig ik isch lich heit keit nisse nissen "
        "system ticket planet qualle aue eye ß ae oe ue igung lichkeit erlich enheit eigung iges"
    )
    stems = words_of(
        "bahnhöf häus straß gebäud kleinst tür schön trag werkst grün bau qu a ä u y mauer"
    )
    made = [f"{start}{end}" for start in stems for end in endings]
    made += [f"{start}{one}{two}" for start in stems for one in endings for two in endings]
    texts = "\n".join(path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md")))
    asked = sorted({*made, *words(texts), *(word for word in words(" ".join(NOUNS)))})
    assert len(asked) > 20_000
    browser.open(f"{host}/archive/")
    of_the_browser = browser.run(
        f"import('../search/stemmer.js').then(m => {json.dumps(asked)}.map(m.stem))".replace(
            "'../search", f"'{host}/search"
        )
    )
    different = [
        (word, stem(word, "de"), other)
        for word, other in zip(asked, of_the_browser, strict=True)
        if stem(word, "de") != other
    ]
    assert different == []
    text = "Die Bahn\u00adhöfe, Händler*innen & Café „Zen“ 1962: İstanbul ＡＢ متجر"
    engine = f"import('{host}/search/engine.js')"
    found = browser.run(f"{engine}.then(m => m.words({json.dumps(text)}))")
    assert found == list(dict.fromkeys(words(text)))
    assert browser.run(f"{engine}.then(m => {json.dumps(found)}.map(m.termOf))") == [
        term_of(word) for word in found
    ]


@pytest.mark.chromium
@pytest.mark.slow
def test_twenty_queries_find_what_they_mean(browser: Page, host: str) -> None:
    assert len(QUERIES) == 20
    browser.open(f"{host}/archive/")
    first = {}
    for query in QUERIES:
        ask(browser, query)
        first[query] = next(iter(titles(browser)), "")
    assert first == QUERIES


@pytest.mark.chromium
def test_the_first_query_of_300_issues_loads_little_and_the_page_before_it_nothing(
    browser: Page, host: str
) -> None:
    loaded = (
        "performance.getEntriesByType('resource')"
        ".filter(e => e.name.includes('/search/')).map(e => [e.name.split('/').pop(), e.encodedBodySize])"
    )
    browser.ask("Network.setCacheDisabled", cacheDisabled=True)
    browser.open(f"{host}/archive/")
    assert [name for name, _ in browser.run(loaded)] == ["form.js"]
    assert "Treffer für" in ask(browser, "Der Markt am Kirchturm mit alten Treppen")
    files = browser.run(loaded)
    assert {"engine.js", "stemmer.js", "index.json"} < {name for name, _ in files}
    assert len(titles(browser)) == 10
    assert sum(size for _, size in files) < 250_000
    assert all(len(data) <= 12_100 for data in index().values())
    assert sum(map(len, index().values())) > 1_000_000  # of what could be loaded
    browser.ask("Network.setCacheDisabled", cacheDisabled=False)


@pytest.mark.chromium
def test_a_keyboard_and_a_screen_reader_are_enough(browser: Page, host: str) -> None:
    axe = node_tool("axe-core/axe.min.js").read_text(encoding="utf-8")
    focus = "document.activeElement.id || document.activeElement.textContent"
    for dark in (False, True):
        browser.look(width=360, dark=dark)
        browser.open(f"{host}/archive/")
        assert browser.run("document.querySelector('label[for=q]').innerText") == "Im Archiv suchen"
        assert (
            browser.run("document.querySelector('#search-status').getAttribute('role')") == "status"
        )
        said = ask(browser, "Markt")
        assert re.match(r"\d+ Treffer für „Markt“\.$", said)
        assert browser.run(focus) == "q"  # nothing takes the focus away
        assert not browser.run("document.querySelector('#list').checkVisibility()")
        assert browser.overflow() <= 0
        browser.run(axe + ";0")
        violations = browser.run(
            "axe.run().then(r => r.violations.map(v => v.id + v.nodes.map(n => n.html).join('|')))"
        )
        assert violations == []
    browser.run("document.querySelector('#search-results button').focus()")
    press(browser, "Enter", 13, "\r")
    wait_until(lambda: len(titles(browser)) == 20, "no further results")
    assert browser.run(focus) == titles(browser)[10]
    browser.run("history.back()")
    wait_until(
        lambda: bool(browser.run("document.querySelector('#list').checkVisibility()")), "no list"
    )
    browser.run("history.forward()")
    wait_until(lambda: len(titles(browser)) == 10, "the query of the address was not asked again")
    assert browser.run("document.querySelector('#q').value") == "Markt"


@pytest.mark.chromium
def test_what_is_not_there_is_said_and_the_list_stays(browser: Page, host: str) -> None:
    browser.open(f"{host}/archive/?q=Quantenphysik")
    said = "document.querySelector('#search-status').textContent"
    wait_until(
        lambda: "im Archiv nichts" in browser.run(said), "no answer to the query of an address"
    )
    assert browser.run("document.querySelector('#list').checkVisibility()")
    assert "Nicht im Archiv: quantenphysik." in ask(browser, "Bahnhof Quantenphysik")
    assert titles(browser)[0] == "Der Bahnhof von Halle"
    assert "Kein Text hat alle diese Wörter" in ask(browser, "Haustür Schraube Kaufhaus")
    assert ask(browser, "constructor __proto__").startswith("Zu „constructor __proto__“")
    assert titles(browser) == []
    browser.ask("Network.setBlockedURLs", urls=["*w-*.json"])
    try:
        assert "nicht zu erreichen" in ask(browser, "Ziegelstein")
        assert browser.run("document.querySelector('#list').checkVisibility()")
    finally:
        browser.ask("Network.setBlockedURLs", urls=[])
    assert "Treffer" in ask(browser, "Ziegelsteine")


@pytest.mark.chromium
def test_a_word_of_300_letters_is_answered_with_little_work(browser: Page, host: str) -> None:
    browser.open(f"{host}/archive/")
    looked_up = browser.run(
        f"""(async () => {{
            const has = Set.prototype.has;
            let times = 0;
            Set.prototype.has = function (value) {{ times += 1; return has.call(this, value); }};
            try {{ await (await import('{host}/search/engine.js')).search('a'.repeat(300)); }}
            finally {{ Set.prototype.has = has; }}
            return times;
        }})()"""
    )
    assert 0 < looked_up < 20_000  # the file of each of some 2,000 possible parts, by a few letters


@pytest.mark.chromium
def test_without_javascript_there_is_the_list_and_no_form(host: str) -> None:
    with browsing() as browser:
        browser.without_javascript()
        browser.open(f"{host}/archive/")
        boxes = {}
        for selector in ("form.search", "#search-results"):
            node = browser.element(selector)
            reply = browser.ask("DOM.getAttributes", nodeId=node)["attributes"]
            boxes[selector] = "hidden" in reply[::2]
        assert boxes == {"form.search": True, "#search-results": True}
        assert "Ausgabe" in browser.text()


def shown_in(files: dict[str, bytes]) -> list[str]:
    """The titles that results can show."""
    blocks = [json.loads(data) for path, data in files.items() if path.startswith("search/d-")]
    return [shown[0] for block in blocks for shown in block if shown]


def terms_in(files: dict[str, bytes]) -> set[str]:
    return {
        term
        for path, data in files.items()
        if path.startswith("search/w-")
        for term in json.loads(data)
    }


def test_what_was_withdrawn_cannot_be_found_and_the_numbers_of_the_others_stay() -> None:
    issues = list(sent())
    before = dict(build_archive(issues, CONFIG).files)
    slug = issues[0].manifest.issue.essays[0].slug
    note = EditorNote(date(2026, 12, 1), "")
    issues[0] = replace(issues[0], withdrawn={slug: note})
    issues[1] = replace(issues[1], withdrawal=note)
    after = dict(build_archive(issues, CONFIG).files)
    assert len(shown_in(after)) < len(shown_in(before))
    everywhere = b"".join(data for path, data in after.items() if path.startswith("search/d-"))
    assert f"essays/{slug}/".encode() not in everywhere
    assert b"2024-12-12" not in everywhere
    blocks = sorted(path for path in before if path.startswith("search/d-"))
    assert [path for path in blocks if before[path] != after[path]] == blocks[:1]


def test_a_correction_is_what_is_found() -> None:
    issues = list(sent())
    issue = issues[0].manifest.issue
    assert "nachgetragen" not in terms_in(dict(built().files))
    essay = replace(issue.essays[0], body="Ein nachgetragener Satz über Wiedehopfe.")
    manifest = replace(issues[0].manifest, issue=replace(issue, essays=(essay, *issue.essays[1:])))
    after = terms_in(dict(build_archive([replace(issues[0], manifest=manifest)], CONFIG).files))
    assert {"nachgetrag", "wiedehopf"} <= after


def test_the_index_holds_what_pages_show_and_no_private_note() -> None:
    issues = list(sent())
    issue = issues[0].manifest.issue
    essay = replace(issue.essays[0], body="Sichtbar.\n\n%% Geheimvermerk der Redaktion %%\n\nEnde.")
    manifest = replace(issues[0].manifest, issue=replace(issue, essays=(essay,), related=()))
    terms = terms_in(dict(build_archive([replace(issues[0], manifest=manifest)], CONFIG).files))
    assert "sichtbar" in terms
    assert not any(term.startswith("geheimv") for term in terms)


def test_a_further_issue_changes_no_block_before_the_last_and_no_file_of_other_words() -> None:
    some = documents()[:120]
    before = search_files(some)
    after = search_files((*some, document(999, "Zwerg", "Zwerg")))
    changed = {path for path in after if before.get(path) != after[path]}
    assert {path for path in changed if "/d-" in path} == {max(
        (path for path in after if "/d-" in path), key=lambda path: int(re.findall(r"\d+", path)[0])
    )}  # fmt: skip
    of_terms = {path for path in changed if "/w-" in path}
    assert len(of_terms) == 1
    assert before.keys() - after.keys() == set()


@pytest.mark.parametrize("seed", [pytest.param(seed, id=f"seed {seed}") for seed in range(8)])
def test_an_index_that_grew_is_that_of_all_its_documents(seed: int) -> None:
    chance = random.Random(seed)
    vocabulary = [*SMALL, *NOUNS, *(f"{one}{other.lower()}" for one, other in itertools.pairwise(NOUNS))]  # fmt: skip
    vocabulary += words_of("repairs repaired repairing tables table Umbauten Straßenfest 1962")

    def some(number: int) -> SearchDocument | None:
        text = " ".join(chance.choices(vocabulary, k=chance.randint(1, 12)))
        language = chance.choice(("de", "de", "en", "de-AT", "fr", "ar"))
        made = document(number, f"Nummer {number}", text, language=language)
        return None if chance.random() < 0.1 else made

    documents = [some(number) for number in range(40)]
    index, left = SearchIndex.of("Dach Turm"), list(documents)
    while left:
        count = chance.randint(1, 9)
        index.add(left[:count], documents.__getitem__)
        index = decode_search(encode_search(KeptSearch("", [], index))).index
        del left[:count]
    assert index.files() == search_files(documents, "Dach Turm")


def test_issues_in_another_order_give_the_same_index() -> None:
    def index_of(files: Mapping[str, bytes]) -> dict[str, bytes]:
        return {path: data for path, data in files.items() if path.startswith("search/")}

    assert index_of(built().files) == index_of(build_archive(sent()[::-1], CONFIG).files)
