"""Configuration: newsletter.toml, overridden by `UPCYCLE_NEWS_…` variables of the environment.

Nested keys are joined with two underscores (`UPCYCLE_NEWS_RELAYS__MAIN__HOST`), and any variable
may end in `_FILE` to name a file that holds the value, for secrets. An unknown key is an error with
its place, never ignored.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as SourceError

from upcycle_news.config.errors import (
    describe_validation_error,
    unknown_variable,
    unreadable_variable,
)
from upcycle_news.config.sections import (
    ArchiveSettings,
    AudienceSettings,
    BackupSettings,
    BouncesSettings,
    CockpitSettings,
    DkimSettings,
    DoctorSettings,
    FeedsSettings,
    ImprintSettings,
    InboxSettings,
    IssueSettings,
    JournalSettings,
    LogSettings,
    PublicationSettings,
    QuotaSettings,
    RelaySettings,
    RetrySettings,
    SenderSettings,
    WebSettings,
    WindowSettings,
)
from upcycle_news.errors import SettingsError
from upcycle_news.fileio import line_of, toml_error
from upcycle_news.models import MAILBOX

PREFIX = "UPCYCLE_NEWS_"
FILE_NAME = "newsletter.toml"


class Settings(BaseSettings):
    """Everything that can be configured. Paths in it are absolute after `load_settings`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    home: Path = Field(Path(), description="The publication's root; default: this folder.")
    state: Path = Field(Path("var"), description="Where everything generated lives.")
    store: str = Field("", description="sqlite:///… or postgresql+psycopg://…; default SQLite.")
    publication: PublicationSettings = Field(default_factory=PublicationSettings)
    sender: SenderSettings = Field(default_factory=SenderSettings)
    imprint: ImprintSettings = Field(default_factory=ImprintSettings)
    issue: IssueSettings = Field(default_factory=IssueSettings)
    feeds: FeedsSettings = Field(default_factory=FeedsSettings)
    relays: dict[str, RelaySettings] = Field(default_factory=dict)
    retry: RetrySettings = Field(default_factory=RetrySettings)
    quotas: QuotaSettings = Field(default_factory=QuotaSettings)
    window: WindowSettings = Field(default_factory=WindowSettings)
    dkim: DkimSettings = Field(default_factory=DkimSettings)
    cockpit: CockpitSettings = Field(default_factory=CockpitSettings)
    backup: BackupSettings = Field(default_factory=BackupSettings)
    journal: JournalSettings = Field(default_factory=JournalSettings)
    audience: AudienceSettings = Field(default_factory=AudienceSettings)
    web: WebSettings = Field(default_factory=WebSettings)
    inbox: InboxSettings = Field(default_factory=InboxSettings)
    bounces: BouncesSettings = Field(default_factory=BouncesSettings)
    archive: ArchiveSettings = Field(default_factory=ArchiveSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    doctor: DoctorSettings = Field(default_factory=DoctorSettings)

    @field_validator("relays")
    @classmethod
    def _no_relay_is_called_as_the_mailbox(
        cls, relays: dict[str, RelaySettings]
    ) -> dict[str, RelaySettings]:
        if MAILBOX in relays:
            raise ValueError(
                f"a relay cannot be called '{MAILBOX}', which is the one in this program: choose another"
            )
        return relays

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first, then newsletter.toml (which `load_settings` passes as arguments)."""
        if isinstance(env_settings, EnvSettingsSource):
            env_settings.env_vars = {
                **_secrets_from_files(os.environ),
                **{k: v for k, v in env_settings.env_vars.items() if not _names_a_file(k)},
            }
        return (env_settings, init_settings)

    @property
    def store_url(self) -> str:
        """The store's SQLAlchemy URL; a relative SQLite file is relative to `home`."""
        kind, _, file = self.store.partition(":///")
        if kind == "sqlite" and file:
            return f"{kind}:///{self.home / file}"
        return self.store or f"sqlite:///{self.state / 'upcycle.db'}"


def _names_a_file(variable: str) -> bool:
    """Return True for `…_FILE`, which names a file with the value; `…__FILE` is a key called file."""
    name = variable.upper()
    return name.startswith(PREFIX) and name.endswith("_FILE") and not name.endswith("__FILE")


def _secrets_from_files(environment: Mapping[str, str]) -> dict[str, str | None]:
    """Return `UPCYCLE_NEWS_X` with the content of the file that `UPCYCLE_NEWS_X_FILE` names."""
    secrets: dict[str, str | None] = {}
    for variable, path in environment.items():
        if _names_a_file(variable):
            try:
                text = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
                raise SettingsError(
                    variable, None, f"cannot read the file it names ({reason}); check its path"
                ) from None
            secrets[variable.lower().removesuffix("_file")] = text
    return secrets


def load_settings(home: Path | None = None) -> Settings:
    """Read the publication's configuration; raises `SettingsError` with file:line or variable."""
    root = (home or Path(os.environ.get(f"{PREFIX}HOME") or ".")).resolve()
    path = root / FILE_NAME
    source, table = "", {}
    if path.is_file():
        try:
            source = path.read_text(encoding="utf-8-sig")
            table = tomllib.loads(source)
        except UnicodeDecodeError:
            raise SettingsError(FILE_NAME, None, "is not UTF-8 text; save it as UTF-8") from None
        except OSError as error:
            raise SettingsError(FILE_NAME, None, f"cannot be read: {error.strerror}") from None
        except tomllib.TOMLDecodeError as error:
            line, what = toml_error(error, source)
            raise SettingsError(FILE_NAME, line, f"is not TOML here: {what}") from None
    _refuse_unknown_variables(os.environ)
    try:
        settings = Settings(**_refuse_home(table))
    except ValidationError as error:
        raise describe_validation_error(
            error, Settings, source=source, file_name=FILE_NAME, prefix=PREFIX
        ) from None
    except SourceError as error:
        raise unreadable_variable(error, PREFIX) from None
    _refuse_secrets_in_toml(table, source)
    state = root / settings.state.expanduser()
    return settings.model_copy(update={"home": root, "state": state})


def _refuse_home(table: dict[str, Any]) -> dict[str, Any]:
    """Return the table; raises if it sets `home`, which decides where this file is read from."""
    if "home" in table:
        raise SettingsError(FILE_NAME, None, "'home' is set by UPCYCLE_NEWS_HOME only; remove it")
    return table


def _refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    for variable in environment:
        if variable.upper().startswith(PREFIX):
            first = variable[len(PREFIX) :].lower().split("__")[0]
            known = {*Settings.model_fields, *(f"{name}_file" for name in Settings.model_fields)}
            if first not in known:
                raise unknown_variable(variable, first, list(Settings.model_fields), PREFIX)


def _refuse_secrets_in_toml(table: dict[str, Any], source: str) -> None:
    for key in ("rsa_key", "ed25519_key"):
        if table.get("dkim", {}).get(key):
            raise SettingsError(
                FILE_NAME,
                line_of(source, ("dkim", key)),
                f"a private key does not belong into git: set {PREFIX}DKIM__{key.upper()}_FILE "
                "instead",
            )
    for name, relay in table.get("relays", {}).items():
        if relay.get("password"):
            raise SettingsError(
                FILE_NAME,
                line_of(source, ("relays", name, "password")),
                "a password does not belong into git: set "
                f"{PREFIX}RELAYS__{name.upper()}__PASSWORD, or …__PASSWORD_FILE, instead",
            )
    if table.get("inbox", {}).get("password"):
        raise SettingsError(
            FILE_NAME,
            line_of(source, ("inbox", "password")),
            f"a password does not belong into git: set {PREFIX}INBOX__PASSWORD, or "
            "…__PASSWORD_FILE, instead",
        )
    if table.get("cockpit", {}).get("webhook"):
        raise SettingsError(
            FILE_NAME,
            line_of(source, ("cockpit", "webhook")),
            f"an address that anybody may post to does not belong into git: set {PREFIX}"
            "COCKPIT__WEBHOOK, or …__WEBHOOK_FILE, instead",
        )
    for name, secret in table.get("bounces", {}).get("webhooks", {}).items():
        if secret:
            raise SettingsError(
                FILE_NAME,
                line_of(source, ("bounces", "webhooks", name)),
                f"a secret does not belong into git: set {PREFIX}BOUNCES__WEBHOOKS__{name.upper()}, "
                f"or …__{name.upper()}_FILE, instead",
            )
