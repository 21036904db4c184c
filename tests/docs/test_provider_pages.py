"""Each provider has a page whose settings work, and which says what the doctor says and every mail carries."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from upcycle_news.app.context import AppContext
from upcycle_news.app.factories import build_relay
from upcycle_news.bounces.outgoing import outgoing_for
from upcycle_news.bounces.providers import PROVIDERS
from upcycle_news.config.settings import load_settings
from upcycle_news.diagnostics.event_sources import page as page_of
from upcycle_news.diagnostics.event_sources import provider_of_host
from upcycle_news.diagnostics.mail_changes import UNCHANGED
from upcycle_news.diagnostics.probes import missing_keys
from upcycle_news.diagnostics.read_back import ReadBackFacts, evaluate
from upcycle_news.i18n.messages import localized
from upcycle_news.services.checks.providers import check_providers

from .blocks import ROOT

FOLDER = ROOT / "docs/providers"
AT = datetime(2026, 11, 26, 6, 0, tzinfo=UTC)


def text_of(provider: str) -> str:
    return (FOLDER / f"{provider}.md").read_text(encoding="utf-8")


def fences(provider: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", text_of(provider), re.DOTALL | re.MULTILINE)


@pytest.fixture
def public_key() -> str:
    """A key as SendGrid shows it; the others need letters and digits only."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def configured(
    provider: str, home: Path, monkeypatch: pytest.MonkeyPatch, public_key: str
) -> AppContext:
    """Return a publication with the settings of a page, and what it names in the environment."""
    [toml], [env] = fences(provider, "toml"), fences(provider, "env")
    (home / "newsletter.toml").write_text(toml, encoding="utf-8")
    for line in env.splitlines():
        name, _, value = line.partition("=")
        assert value == "..."
        monkeypatch.setenv(name, public_key if "PUBLIC_KEY" in name else "G" * 32)
    return AppContext(load_settings(home))


def test_every_provider_has_a_page_and_every_page_a_provider() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} == {*PROVIDERS, "index"}
    index = (FOLDER / "index.md").read_text(encoding="utf-8")
    for name, provider in PROVIDERS.items():
        assert f"| {provider.title} | [{name}]({name}.md) |" in index
        assert text_of(name).startswith(f"# Using {provider.title}\n")
        assert (ROOT / page_of(name)).is_file()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_settings_of_a_page_are_complete(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, public_key: str
) -> None:
    context = configured(provider, tmp_path, monkeypatch, public_key)
    relay = build_relay("main", context.settings.relays["main"])
    assert relay.provider == provider == provider_of_host(relay.host)
    [source] = context.settings.events.values()
    assert source.provider == provider
    assert missing_keys(source) == ()
    assert list(check_providers(context)) == []


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_page_names_every_switch_that_a_mail_carries(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, public_key: str
) -> None:
    context = configured(provider, tmp_path, monkeypatch, public_key)
    relay = build_relay("main", context.settings.relays["main"])
    text = text_of(provider)
    for name, value in outgoing_for(relay).headers("KEY"):
        if "track" in name.lower() or name == "X-PM-KeepID":
            assert f"`{name}: {value}`" in text
    if provider == "sendgrid":
        filters = re.findall(r'"(\w+)": \{"settings"', outgoing_for(relay).headers()[0][1])
        assert filters and all(f"`{name}`" in text for name in filters)
    if mark := PROVIDERS[provider].untracked_link:
        assert f"`{mark}`" in text


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_page_says_what_the_doctor_says(provider: str) -> None:
    title = PROVIDERS[provider].title
    seen = localized("events-seen", provider=title, source=provider, first=AT, last=AT)
    [fine] = evaluate(ReadBackFacts("main", provider, changes=UNCHANGED, waited=5.0))
    assert fences(provider, "text")[0].splitlines() == [str(seen), str(fine.finding)]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_page_names_the_address_of_its_events(provider: str) -> None:
    assert re.search(rf"https://\S*YOUR-PUBLIC-URL/events/{provider}/SECRET", text_of(provider))
    assert len(re.findall(r"\]\(https://", text_of(provider))) >= 4  # facts have their sources


def test_the_pages_are_linked_from_where_operators_look() -> None:
    for place, target in (
        ("README.md", "docs/providers/index.md"),
        ("docs/index.md", "providers/index.md"),
        ("docs/operations.md", "providers/index.md"),
        ("docs/delivery.md", "providers/index.md"),
        ("docs/doctor.md", "providers/index.md"),
    ):
        assert f"({target})" in (ROOT / place).read_text(encoding="utf-8"), place
