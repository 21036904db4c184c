"""Sentences that were kept in English are found again, with their values, and read in German."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from string import Formatter

import pytest

from upcycle_news.i18n.messages import LocalizedText, catalogue
from upcycle_news.i18n.recognition import recognise


def keys_of_feeds() -> list[str]:
    import tomllib

    from upcycle_news.i18n.messages import FOLDER

    return list(tomllib.loads((FOLDER / "feeds.en.toml").read_text(encoding="utf-8")))


def sample(name: str, spec: str) -> object:
    if "%" in spec:
        moment = datetime(2026, 11, 26, 6, 50, tzinfo=UTC)  # a sentence keeps what its format shows
        return datetime.strptime(f"{moment:{spec}}", spec).replace(tzinfo=UTC)
    return 2 if name == "count" else f"W-{name}"


@pytest.mark.parametrize("key", keys_of_feeds())
def test_every_sentence_about_feeds_is_found_again(key: str) -> None:
    entry = catalogue("en")[key]
    form = entry if isinstance(entry, str) else entry["other"]
    fields = {name: spec for _, name, spec, _ in Formatter().parse(form) if name is not None}
    if not re.sub(r"[{]\w+[}]|[ :]", "", form):
        pytest.skip("it is made of other sentences alone")
    text = LocalizedText(
        key, tuple((name, sample(name, spec or "")) for name, spec in fields.items())
    )
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
        (
            "failed 2 times in a row: the server answered 500 Internal Server Error (never a success); tried "
            "again at 2026-11-26 06:50 UTC",
            "hat 2-mal nacheinander nicht geantwortet (noch nie gelungen); wieder gefragt wird am 26.11.2026, "
            "06:50 UTC. Der Server antwortete: 500 Internal Server Error.",
        ),
        (
            "failed once: it is empty (last success 2026-11-25 06:50 UTC)",
            "hat einmal nicht geantwortet (zuletzt gelungen am 25.11.2026, 06:50 UTC). Er ist leer.",
        ),
        ("something else", "something else"),
        ("", ""),
    ],
)
def test_a_kept_sentence_is_read_in_german(sentence: str, german: str) -> None:
    assert recognise(sentence, "feeds").in_language("de") == german
