"""Sentences that were kept in English are found again, with their values, and read in German."""

from __future__ import annotations

import re

import pytest

from upcycle_news.i18n.messages import LocalizedText, catalogue
from upcycle_news.i18n.recognition import recognise


def keys_of_feeds() -> list[str]:
    import tomllib

    from upcycle_news.i18n.messages import FOLDER

    texts = tomllib.loads((FOLDER / "feeds.en.toml").read_text(encoding="utf-8"))
    return [
        key for key, text in texts.items() if isinstance(text, str)
    ]  # what has a plural is not kept


@pytest.mark.parametrize("key", keys_of_feeds())
def test_every_sentence_about_feeds_is_found_again(key: str) -> None:
    entry = catalogue("en")[key]
    assert isinstance(entry, str)
    names = dict.fromkeys(re.findall(r"\{(\w+)\}", entry))
    if not re.sub(r"[{]\w+[}]|[ :]", "", entry):
        pytest.skip("it is made of other sentences alone")
    text = LocalizedText(key, tuple((name, f"Wert {name}") for name in names))
    assert recognise(str(text), "feeds") == text


@pytest.mark.parametrize(
    ("sentence", "german"),
    [
        (
            "it is redirected to where we cannot go: the target names no host",
            "Er wird dorthin weitergeleitet, wohin wir nicht gehen: Das Ziel nennt keinen Host.",
        ),
        (
            "entry 2 was left out: its link is longer than 2000 characters",
            "Eintrag 2 blieb draußen: Der Link ist länger als 2000 Zeichen.",
        ),
        (
            "its certificate cannot be trusted: it has expired",
            "Seinem Zertifikat ist nicht zu trauen: Es ist abgelaufen.",
        ),
        (
            "the reply broke off: 5 of 9 bytes came",
            "Die Antwort brach ab: 5 von 9 Bytes kamen an.",
        ),
        ("the server cannot be reached", "Der Server ist nicht zu erreichen."),
        ("something else", "something else"),
        ("", ""),
    ],
)
def test_a_kept_sentence_is_read_in_german(sentence: str, german: str) -> None:
    assert recognise(sentence, "feeds").in_language("de") == german
