"""The sources of events in the settings: what belongs to which provider, and secrets that stay secret."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from pydantic import SecretStr

from upcycle_news.app.factories import secret_values
from upcycle_news.config.settings import load_settings
from upcycle_news.errors import SettingsError

from ..bounces.providers.posting import POSTING, SECRET, sendgrid_public_key

TOPIC = 'topic_arn = "arn:aws:sns:eu-central-1:123456789012:events"'


def load(home: Path, table: str) -> str:
    """Return why a source with these keys is refused; empty when it is not."""
    (home / "newsletter.toml").write_text(f"[events.here]\n{table}\n", encoding="utf-8")
    try:
        load_settings(home)
    except SettingsError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("provider", POSTING)
def test_the_keys_of_each_provider_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    for name, value in POSTING[provider].environment().items():
        monkeypatch.setenv(f"UPCYCLE_NEWS_{name}", value)
    settings = load_settings(tmp_path)
    source = settings.events["here"]
    assert source.secret.get_secret_value() == SECRET
    assert SECRET in secret_values(settings)  # masked in the log
    shown = f"{settings!r} {settings.model_dump()} {settings.model_dump_json()}"
    for value in vars(source).values():
        if isinstance(value, SecretStr) and value.get_secret_value():
            assert value.get_secret_value() not in shown


@pytest.mark.parametrize(
    "table",
    [
        f'provider = "ses"\n{TOPIC}', 'provider = "postmark"', 'provider = "mailgun"', 'provider = "brevo"',
        f'provider = "sendgrid"\npublic_key = "{POSTING["sendgrid"].settings["PUBLIC_KEY"]}"',
    ],
)  # fmt: skip
def test_without_secrets_a_source_is_right_but_closed(tmp_path: Path, table: str) -> None:
    assert load(tmp_path, table) == ""


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('provider = "pigeon"', "provider"),
        (TOPIC, "provider"),
        ('provider = "ses"', "ARN of an SNS topic"),
        ('provider = "ses"\ntopic_arn = "arn:aws:s3:::bucket"', "ARN of an SNS topic"),
        (f'provider = "ses"\n{TOPIC[:-1]}.fifo"', "ARN of an SNS topic"),
        (f'provider = "postmark"\n{TOPIC}', "'topic_arn' is nothing that this provider knows"),
        ('provider = "sendgrid"', "the verification key"),
        ('provider = "sendgrid"\npublic_key = "AAAA"', "the verification key"),
        ('provider = "brevo"\npublic_key = "AAAA"', "'public_key' is nothing"),
        ('provider = "mailgun"\nusername = "u"', "'username' is nothing"),
        ('provider = "postmark"\nusername = "u"', "belong together"),
        ('provider = "postmark"\nrequests_per_minute = 0', "requests_per_minute"),
    ],
)
def test_what_does_not_belong_together_is_refused(tmp_path: Path, table: str, said: str) -> None:
    assert said in load(tmp_path, table)


def test_a_public_key_of_an_algorithm_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    der = base64.b64decode(sendgrid_public_key())
    elliptic, unknown = bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2a8648ce3d027f")
    assert elliptic in der
    key = base64.b64encode(der.replace(elliptic, unknown)).decode()
    assert "the verification key" in load(tmp_path, f'provider = "sendgrid"\npublic_key = "{key}"')


@pytest.mark.parametrize("key", ["secret", "signing_key", "password"])
def test_a_secret_in_newsletter_toml_is_refused_with_its_line(tmp_path: Path, key: str) -> None:
    provider = "mailgun" if key == "signing_key" else "postmark"
    user = 'username = "u"\n' if key == "password" else ""
    text = load(tmp_path, f'provider = "{provider}"\n{user}{key} = "{SECRET}"')
    assert text.startswith("newsletter.toml:") and SECRET not in text
    assert f"UPCYCLE_NEWS_EVENTS__HERE__{key.upper()}" in text


@pytest.mark.parametrize("secret", ["short", "mit leerzeichen im geheimnis", "a/b" * 10, "a" * 201])
def test_a_secret_that_cannot_stand_in_an_address_is_refused_unseen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv("UPCYCLE_NEWS_EVENTS__HERE__SECRET", secret)
    text = load(tmp_path, 'provider = "brevo"')
    assert "20 to 200 letters" in text and secret not in text


@pytest.mark.parametrize("name", ["Here", "mail", "a-b", '"a b"', "x" * 33])
def test_a_source_has_a_plain_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "newsletter.toml").write_text(f'[events.{name}]\nprovider = "brevo"\n', "utf-8")
    with pytest.raises(SettingsError, match="lower-case letters, digits and underscores"):
        load_settings(tmp_path)
