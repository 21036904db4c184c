"""Settings of webhooks: where events may go, and where the secret stands."""

from __future__ import annotations

import pytest

from upcycle_news.config.origins import origins
from upcycle_news.config.settings import Settings
from upcycle_news.errors import SettingsError

from ..publications import Publication
from ..services.webhooks.receiver import new_secret


def opened(publication: Publication, url: str, **more: str) -> Settings:
    variables = {f"WEBHOOKS__CRM__{name}": value for name, value in {"URL": url, **more}.items()}
    return publication.context(**variables).settings


@pytest.mark.parametrize(
    ("url", "more"),
    [
        ("https://crm.example.org/hooks?key=1", {}),
        ("http://127.0.0.1:8000/", {}),
        ("http://localhost:8000/", {}),
        ("http://[::1]:8000/", {}),
        ("https://127.0.0.1:8000/", {}),
        ("https://10.1.2.3/", {"ALLOW_PRIVATE": "10.1.0.0/16"}),
        ("http://10.1.2.3/", {"ALLOW_PRIVATE": "10.1.0.0/16"}),
        ("http://crm.intranet/", {"ALLOW_PRIVATE": "crm.intranet"}),
        ("http://10.1.2.3/", {"ALLOW_PRIVATE": "true"}),
    ],
)
def test_events_go_over_https_or_stay_in_ones_own_network(
    publication: Publication, url: str, more: dict[str, str]
) -> None:
    assert opened(publication, url, **more).webhooks["crm"].url.get_secret_value() == url


@pytest.mark.parametrize(
    ("url", "more"),
    [
        ("http://crm.example.org/", {}),
        ("http://crm.example.org/", {"ALLOW_PRIVATE": "true"}),
        ("https://10.1.2.3/", {}),
        ("http://10.1.2.3/", {"ALLOW_PRIVATE": "10.2.0.0/16"}),
        ("https://crm.intranet/", {}),
        ("https://0x7f000001/", {}),
        ("https://169.254.169.254/", {"ALLOW_PRIVATE": "true"}),
        ("https://name:word@crm.example.org/", {}),
        ("ftp://crm.example.org/", {}),
        ("crm.example.org", {}),
    ],
)
def test_any_other_address_is_refused_and_not_repeated(
    publication: Publication, url: str, more: dict[str, str]
) -> None:
    with pytest.raises(SettingsError) as refused:
        opened(publication, url, **more)
    assert url not in str(refused.value)
    assert "webhooks.crm" in str(refused.value)


def test_a_secret_does_not_belong_into_newsletter_toml(publication: Publication) -> None:
    secret = new_secret()
    publication.change_setting("[browser]", f'[webhooks.crm]\nsecret = "{secret}"\n\n[browser]')
    with pytest.raises(SettingsError) as refused:
        publication.context()
    assert "UPCYCLE_NEWS_WEBHOOKS__CRM__SECRET" in str(refused.value)
    assert secret not in str(refused.value)


@pytest.mark.parametrize(
    "secret", ["geheim", "whsec_kurz", new_secret(10)], ids=["word", "no base64", "too short"]
)
def test_a_secret_that_is_none_is_refused_with_the_way_to_make_one(
    publication: Publication, secret: str
) -> None:
    with pytest.raises(SettingsError, match="openssl rand") as refused:
        opened(publication, "https://crm.example.org/", SECRET=secret)
    assert secret not in str(refused.value)


def test_address_and_secret_are_masked_wherever_settings_are_shown(
    publication: Publication,
) -> None:
    secret = new_secret()
    settings = opened(publication, "https://crm.example.org/hooks?key=4711", SECRET=secret)
    shown = " ".join(str(origin.value) for origin in origins(settings))
    assert "4711" not in shown
    assert secret not in shown
    assert "4711" not in repr(settings)


def test_an_event_or_a_name_that_is_none_is_refused(publication: Publication) -> None:
    with pytest.raises(SettingsError, match=r"subscriber\.left"):
        opened(publication, "https://crm.example.org/", EVENTS='["subscriber.gone"]')
    with pytest.raises(SettingsError, match="webhooks"):
        publication.change_setting(
            "[browser]", '[webhooks."Zu Hause"]\nurl = "https://crm.example.org"\n\n[browser]'
        )
        publication.context()


def test_every_kind_of_event_can_be_asked_for(publication: Publication) -> None:
    from typing import get_args

    from upcycle_news.config.sections import WebhookEvent
    from upcycle_news.models import EventKind

    assert set(get_args(WebhookEvent)) == {kind.value for kind in EventKind}
