"""Every localized text of the code is in every catalogue, with the values that the code gives."""

from __future__ import annotations

import ast
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from upcycle_news.errors import ContentError, UpcycleError
from upcycle_news.i18n.messages import (
    LANGUAGES,
    LocalizedText,
    catalogue,
    localized,
    supported_language,
)
from upcycle_news.models import Finding, IssueId
from upcycle_news.services.issues.render import RefusedError

SOURCES = Path(__file__).parents[2] / "src"


def localized_calls() -> Iterator[tuple[str, str, set[str]]]:
    """Place, key and values of every `localized("…")` in the packages."""
    for path in sorted(SOURCES.rglob("*.py")):
        if path.parent.name == "i18n":
            continue
        text = path.read_text(encoding="utf-8")
        if not re.search(r"from upcycle_news\.i18n\.messages import [^#]*?\blocalized\b", text):
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "localized":
                key = node.args[0]
                place = f"{path.relative_to(SOURCES)}:{node.lineno}"
                assert isinstance(key, ast.Constant), f"{place}: write the key as it stands"
                yield place, key.value, {str(argument.arg) for argument in node.keywords}


def fields(language: str, key: str) -> set[str]:
    entry = catalogue(language)[key]
    texts = [entry] if isinstance(entry, str) else [entry["one"], entry["other"], "{count}"]
    return {name for text in texts for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_all_languages_have_the_same_texts_with_the_same_values() -> None:
    first, *others = LANGUAGES
    for other in others:
        assert set(catalogue(first)) == set(catalogue(other))
        for key in catalogue(first):
            assert fields(first, key) == fields(other, key), key


def test_every_text_is_used_and_every_used_key_is_in_the_catalogues() -> None:
    used = {key for _, key, _ in localized_calls()}
    assert used == set(catalogue("en"))


def test_the_code_gives_each_text_exactly_its_values() -> None:
    for place, key, values in localized_calls():
        assert values == fields("en", key), f"{place}: {key}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_key_is_in_two_catalogue_files(language: str) -> None:
    import tomllib

    from upcycle_news.i18n.messages import CATALOGUE_FILES, FOLDER

    tables = [
        tomllib.loads((FOLDER / f"{name}.{language}.toml").read_text(encoding="utf-8"))
        for name in CATALOGUE_FILES
    ]
    assert sum(map(len, tables)) == len(catalogue(language))
    # An entry that is read alone is what the whole file says.
    assert all(catalogue(language)[key] == table[key] for table in tables for key in table)


def test_german_texts_use_german_quotation_marks_and_umlauts() -> None:
    for key, entry in catalogue("de").items():
        for text in [entry] if isinstance(entry, str) else entry.values():
            assert "'" not in text, f"{key}: „…“ instead of straight marks"
            assert not re.search("fuer|ueber|koenn|muess|laess|schliess|groess", text), key


def test_a_language_without_catalogue_falls_back_to_english() -> None:
    assert [supported_language(language) for language in ("de", "de-AT", "en-GB", "fr", "")] == [
        "de", "de", "en", "en", "en",
    ]  # fmt: skip
    assert localized("subject-missing").in_language("fr") == str(localized("subject-missing"))


def test_numbers_are_formatted_by_the_language() -> None:
    large = localized("size-large", size=81234, limit=100_000)
    assert "81,234 bytes" in large.in_language("en")
    assert "81.234 Bytes" in large.in_language("de")


def test_a_count_chooses_singular_or_plural() -> None:
    assert localized("nothing-new-items", count=1).in_language("de") == "; 1 Meldung wartet"
    assert localized("nothing-new-items", count=2).in_language("de") == "; 2 Meldungen warten"


def test_control_characters_of_foreign_texts_are_escaped() -> None:
    message = str(localized("image-foreign", image="a\nb\x1b[31m{0}"))
    assert message == "the image 'a\\nb\\x1b[31m{0}' is not ours: put it into content/images"


def test_an_error_is_english_until_its_language_is_set() -> None:
    second = ContentError("b.md", None, "a sentence in one language")
    error = ContentError("a.md", 4, localized("date-wrong", key="date"), [second])
    assert str(error).splitlines() == [
        "a.md:4: 'date' is not a date (write 2026-11-26)",
        "b.md: a sentence in one language",
    ]
    error.language = "de"
    assert str(error).startswith("a.md:4: „date“ ist kein Datum.")
    assert str(UpcycleError("as it is")) == "as it is"


def test_an_error_survives_pickling() -> None:
    """Prefect stores what a run raised, and another process reads it."""
    second = ContentError("b.md", 3, localized("essay-empty"))
    refused = [
        Finding("error", "link-empty", "a.md:4", localized("link-empty", link="https://a.test"))
    ]
    for error in (
        UpcycleError(localized("subject-missing")),
        ContentError("a.md", 4, localized("date-wrong", key="date"), [second]),
        RefusedError(IssueId.parse("2026-11-26"), refused),
    ):
        error.language = "de"
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert str(again) == str(error)


def test_texts_with_equal_key_and_values_are_equal() -> None:
    assert localized("subject-missing") == LocalizedText("subject-missing")
    assert len({localized("link-empty", link="x"), localized("link-empty", link="x")}) == 1
