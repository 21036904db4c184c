"""The store's URL when it is relative, absolute or not set."""

from __future__ import annotations

from pathlib import Path

import pytest

from upcycle_news.config.settings import load_settings


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", "sqlite:///{home}/var/upcycle.db"),
        ("sqlite:///var/mine.db", "sqlite:///{home}/var/mine.db"),
        ("sqlite:////srv/mine.db", "sqlite:////srv/mine.db"),
        ("postgresql+psycopg://u@h/d", "postgresql+psycopg://u@h/d"),
    ],
)
def test_a_relative_store_belongs_to_the_publication_wherever_the_command_is_run(
    given: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPCYCLE_NEWS_STORE", given)
    monkeypatch.chdir("/")
    assert load_settings(tmp_path).store_url == expected.format(home=tmp_path)
