"""Configuration: newsletter.toml, overridden by `UPCYCLE_NEWS_…` variables of the environment.

Nested keys are joined with two underscores (`UPCYCLE_NEWS_RELAYS__MAIN__HOST`), and any variable
may end in `_FILE` to name a file that holds the value, for secrets. An unknown key is an error with
its place, never ignored.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from upcycle_news.config.errors import (
    UnusableValueError,
    describe_validation_error,
    unknown_variable,
)
from upcycle_news.config.sections import (
    ArchiveSettings,
    AudienceSettings,
    AuthorSettings,
    BackupSettings,
    BouncesSettings,
    BrowserSettings,
    ChannelSettings,
    CockpitSettings,
    CollectSettings,
    DeliveriesSettings,
    DigestSettings,
    DkimSettings,
    DoctorSettings,
    EventSourceSettings,
    FeedsSettings,
    ImprintSettings,
    InboxSettings,
    IssueSettings,
    JournalSettings,
    LanguageSettings,
    LogSettings,
    PublicationSettings,
    QuotaSettings,
    RelaySettings,
    RetrySettings,
    SenderSettings,
    SourceSettings,
    TemplatesSettings,
    TopicSettings,
    WebhookSettings,
    WebSettings,
    WindowSettings,
)
from upcycle_news.errors import SettingsError
from upcycle_news.fileio import (
    exists,
    line_of,
    os_reason,
    read_file,
    toml_error,
)
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import MAILBOX

PREFIX = "UPCYCLE_NEWS_"
FILE_NAME = "newsletter.toml"
EVENTS_BY_MAIL = "mail"
"""The source of `bounces.webhooks`, whose name no source of `[events]` has."""


class Settings(BaseModel):
    """Everything that can be configured. Paths in it are absolute after `load_settings`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    home: Path = Field(Path(), description="The publication's root; default: this folder.")
    state: Path = Field(Path("var"), description="Where everything generated lives.")
    store: str = Field("", description="sqlite:///… or postgresql+psycopg://…; default SQLite.")
    publication: PublicationSettings = Field(default_factory=PublicationSettings.model_construct)
    languages: dict[Literal["de", "en"], LanguageSettings] = Field(
        default_factory=dict, description="Languages that readers may choose."
    )
    topics: dict[str, TopicSettings] = Field(
        default_factory=dict, description="What readers see of topics."
    )
    sender: SenderSettings = Field(default_factory=SenderSettings.model_construct)
    imprint: ImprintSettings = Field(default_factory=ImprintSettings.model_construct)
    channels: tuple[ChannelSettings, ...] = Field((), description="Where else you can be followed.")
    authors: tuple[AuthorSettings, ...] = Field((), description="What is said about authors.")
    issue: IssueSettings = Field(default_factory=IssueSettings.model_construct)
    feeds: FeedsSettings = Field(default_factory=FeedsSettings.model_construct)
    sources: tuple[SourceSettings, ...] = Field(
        (), description="Sites of your own whose posts become essays."
    )
    collect: CollectSettings = Field(default_factory=CollectSettings.model_construct)
    relays: dict[str, RelaySettings] = Field(default_factory=dict)
    retry: RetrySettings = Field(default_factory=RetrySettings.model_construct)
    quotas: QuotaSettings = Field(default_factory=QuotaSettings.model_construct)
    window: WindowSettings = Field(default_factory=WindowSettings.model_construct)
    dkim: DkimSettings = Field(default_factory=DkimSettings.model_construct)
    cockpit: CockpitSettings = Field(default_factory=CockpitSettings.model_construct)
    browser: BrowserSettings = Field(default_factory=BrowserSettings.model_construct)
    backup: BackupSettings = Field(default_factory=BackupSettings.model_construct)
    deliveries: DeliveriesSettings = Field(default_factory=DeliveriesSettings.model_construct)
    journal: JournalSettings = Field(default_factory=JournalSettings.model_construct)
    audience: AudienceSettings = Field(default_factory=AudienceSettings.model_construct)
    digest: DigestSettings = Field(default_factory=DigestSettings.model_construct)
    web: WebSettings = Field(default_factory=WebSettings.model_construct)
    inbox: InboxSettings = Field(default_factory=InboxSettings.model_construct)
    bounces: BouncesSettings = Field(default_factory=BouncesSettings.model_construct)
    events: dict[str, EventSourceSettings] = Field(default_factory=dict)
    webhooks: dict[str, WebhookSettings] = Field(
        default_factory=dict, description="Programs elsewhere that are told of events."
    )
    archive: ArchiveSettings = Field(default_factory=ArchiveSettings.model_construct)
    templates: TemplatesSettings = Field(default_factory=TemplatesSettings.model_construct)
    log: LogSettings = Field(default_factory=LogSettings.model_construct)
    doctor: DoctorSettings = Field(default_factory=DoctorSettings.model_construct)

    @field_validator("languages")
    @classmethod
    def _the_own_language_has_its_words_elsewhere(
        cls, languages: dict[str, LanguageSettings], info: ValidationInfo
    ) -> dict[str, LanguageSettings]:
        publication = info.data.get("publication")
        if publication is None:  # it has an error of its own
            return languages
        own = languages.get(publication.language)
        if own is not None and own.model_fields_set - {"de", "en"}:
            raise UnusableValueError(localized("value-language-own", name=publication.language))
        return languages

    @field_validator("sources")
    @classmethod
    def _sources_are_told_apart(
        cls, sources: tuple[SourceSettings, ...]
    ) -> tuple[SourceSettings, ...]:
        for position, source in enumerate(sources):
            for other in sources[:position]:
                if source.name.casefold() == other.name.casefold() or source.url == other.url:
                    raise UnusableValueError(localized("value-source-twice", name=source.name))
        return sources

    @field_validator("relays")
    @classmethod
    def _no_relay_is_called_as_the_mailbox(
        cls, relays: dict[str, RelaySettings]
    ) -> dict[str, RelaySettings]:
        if MAILBOX in relays:
            raise UnusableValueError(localized("value-relay-mailbox", name=MAILBOX))
        return relays

    @field_validator("events")
    @classmethod
    def _event_sources_have_plain_names(
        cls, events: dict[str, EventSourceSettings]
    ) -> dict[str, EventSourceSettings]:
        for name in events:
            if not re.fullmatch(r"[a-z0-9_]{1,32}", name) or name == EVENTS_BY_MAIL:
                raise UnusableValueError(localized("value-event-name"))
        return events

    @field_validator("webhooks")
    @classmethod
    def _webhooks_have_short_names(
        cls, webhooks: dict[str, WebhookSettings]
    ) -> dict[str, WebhookSettings]:
        for name in webhooks:
            if not re.fullmatch(r"[a-z0-9_-]{1,40}", name):
                raise UnusableValueError(localized("value-webhook-name", name=name[:40]))
        return webhooks

    @property
    def store_url(self) -> str:
        """The store's SQLAlchemy URL; a relative SQLite file is relative to `home`."""
        kind, _, file = self.store.partition(":///")
        if kind == "sqlite" and file:
            return f"{kind}:///{self.home / file}"
        return self.store or f"sqlite:///{self.state / 'upcycle.db'}"


def load_settings(home: Path | None = None) -> Settings:
    """Read the publication's configuration; raises `SettingsError` with file:line or variable."""
    root = (home or Path(os.environ.get(f"{PREFIX}HOME") or ".")).resolve()
    path = root / FILE_NAME
    source, table = "", {}
    if exists(path):
        try:
            source = read_file(path).decode("utf-8-sig").replace("\r\n", "\n")
            table = tomllib.loads(source)
        except UnicodeDecodeError:
            raise SettingsError(FILE_NAME, None, localized("settings-not-utf8")) from None
        except OSError as error:
            raise SettingsError(
                FILE_NAME, None, localized("settings-unreadable", reason=os_reason(error))
            ) from None
        except tomllib.TOMLDecodeError as error:
            line, what = toml_error(error, source)
            raise SettingsError(
                FILE_NAME, line, localized("settings-not-toml", reason=what)
            ) from None
    _refuse_unknown_variables(os.environ)
    try:
        settings = Settings(**_with_environment(_refuse_home(table)))
    except ValidationError as error:
        raise describe_validation_error(
            error, Settings, source=source, file_name=FILE_NAME, prefix=PREFIX
        ) from None
    _refuse_secrets_in_toml(table, source)
    state = root / settings.state.expanduser()
    return settings.model_copy(update={"home": root, "state": state})


def publication_language(home: Path | None = None) -> str:
    """Return the language of a publication whose settings cannot be read, for the sentence that says so."""
    if variable := os.environ.get(f"{PREFIX}PUBLICATION__LANGUAGE"):
        return variable
    root = home or Path(os.environ.get(f"{PREFIX}HOME") or ".")
    try:
        source = read_file(root / FILE_NAME).decode("utf-8-sig", errors="replace")
    except OSError:
        source = ""
    # The text may be no TOML: a line is looked for, not a key.
    written = re.search(r"^\s*(?:publication\.)?language\s*=\s*[\"'](\w+)", source, re.MULTILINE)
    default: str = PublicationSettings.model_fields["language"].default
    return written[1] if written else default


def _with_environment(table: dict[str, Any]) -> dict[str, Any]:
    """Return the table with what variables of the environment say instead."""
    if not any(name.upper().startswith(PREFIX) for name in os.environ):
        return table
    # Late: it is a tenth of a short command, and few publications on one's own machine set any.
    from upcycle_news.config.environment import merged, read_environment

    return merged(table, read_environment(Settings, PREFIX))


def _refuse_home(table: dict[str, Any]) -> dict[str, Any]:
    """Return the table; raises if it sets `home`, which decides where this file is read from."""
    if "home" in table:
        raise SettingsError(FILE_NAME, None, localized("settings-home"))
    return table


def _refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    for variable in environment:
        if variable.upper().startswith(PREFIX):
            first = variable[len(PREFIX) :].lower().split("__")[0]
            known = {*Settings.model_fields, *(f"{name}_file" for name in Settings.model_fields)}
            if first not in known:
                raise unknown_variable(variable, first, list(Settings.model_fields), PREFIX)


def _secret_in_git(variable: str) -> LocalizedText:
    return localized(
        "settings-secret-in-git", variable=f"{PREFIX}{variable}", file=f"{PREFIX}{variable}_FILE"
    )


def _refuse_secrets_in_toml(table: dict[str, Any], source: str) -> None:
    for key in ("rsa_key", "ed25519_key"):
        if table.get("dkim", {}).get(key):
            raise SettingsError(
                FILE_NAME,
                line_of(source, ("dkim", key)),
                localized("settings-key-in-git", variable=f"{PREFIX}DKIM__{key.upper()}_FILE"),
            )
    for name, relay in table.get("relays", {}).items():
        if relay.get("password"):
            raise SettingsError(
                FILE_NAME,
                line_of(source, ("relays", name, "password")),
                _secret_in_git(f"RELAYS__{name.upper()}__PASSWORD"),
            )
    if table.get("inbox", {}).get("password"):
        raise SettingsError(
            FILE_NAME,
            line_of(source, ("inbox", "password")),
            _secret_in_git("INBOX__PASSWORD"),
        )
    if table.get("cockpit", {}).get("webhook"):
        raise SettingsError(
            FILE_NAME,
            line_of(source, ("cockpit", "webhook")),
            _secret_in_git("COCKPIT__WEBHOOK"),
        )
    for name, webhook in table.get("webhooks", {}).items():
        if webhook.get("secret"):
            raise SettingsError(
                FILE_NAME,
                line_of(source, ("webhooks", name, "secret")),
                _secret_in_git(f"WEBHOOKS__{name.upper()}__SECRET"),
            )
    for name, secret in table.get("bounces", {}).get("webhooks", {}).items():
        if secret:
            raise SettingsError(
                FILE_NAME,
                line_of(source, ("bounces", "webhooks", name)),
                _secret_in_git(f"BOUNCES__WEBHOOKS__{name.upper()}"),
            )
    for name, source_table in table.get("events", {}).items():
        for key in ("secret", "signing_key", "password"):
            if source_table.get(key):
                raise SettingsError(
                    FILE_NAME,
                    line_of(source, ("events", name, key)),
                    _secret_in_git(f"EVENTS__{name.upper()}__{key.upper()}"),
                )
