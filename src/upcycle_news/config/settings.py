"""Configuration: newsletter.toml, with `UPCYCLE_NEWS_…` of the environment over it.

Nested keys are joined with two underscores (`UPCYCLE_NEWS_RELAYS__MAIN__HOST`), and any variable
may end in `_FILE` to name a file that holds the value, for secrets. An unknown key is an error with
its place, never a silence.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError
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
    InboxSettings,
    LogSettings,
    QuotaSettings,
    RelaySettings,
    RetrySettings,
    WebSettings,
    WindowSettings,
)
from upcycle_news.config.types import (
    Address,
    Line,
    Table,
    Url,
    Zone,
)
from upcycle_news.errors import SettingsError
from upcycle_news.fileio import toml_error
from upcycle_news.models import Length

PREFIX = "UPCYCLE_NEWS_"
FILE_NAME = "newsletter.toml"


class PublicationSettings(Table):
    """`[publication]`: what the newsletter is called and where it lives on the web."""

    name: Line = Field("Newsletter", min_length=1, description="The name in the masthead.")
    tagline: Line = Field("", description="One line below the name.")
    language: Literal["de", "en"] = Field("de", description="The language of the mail's own words.")
    timezone: Zone = Field(
        "Europe/Berlin", description="Decides which day it is and when the window is open."
    )
    public_url: Url = Field(
        "", description="Where confirm, unsubscribe and archive pages answer, without final slash."
    )
    closing_note: str = Field("", description="A sentence to the readers at the end of each issue.")

    @property
    def zone(self) -> ZoneInfo:
        """The time zone as an object."""
        return ZoneInfo(self.timezone)


class SenderSettings(Table):
    """`[sender]`: who writes the mail."""

    name: Line = Field("", description="The name readers see; default: the publication's name.")
    address: Address = Field("", description="The From address; its domain is the one DKIM signs.")
    reply_to: Address = Field("", description="Where answers go; somebody should read them.")
    envelope: Address = Field("", description="Where bounces go; default: the From address.")
    verp: bool = Field(
        False, description="Sign each mail's envelope: bounces+….@ names the delivery (VERP)."
    )
    unsubscribe_mailto: Address = Field(
        "", description="An address whose mail is read as 'unsubscribe', beside the web link."
    )


class ImprintSettings(Table):
    """`[imprint]`: who is responsible (§ 5 DDG); without it nothing is sent."""

    lines: tuple[Line, ...] = Field((), description="Name, postal address, a way to reach you.")


class IssueSettings(Table):
    """`[issue]`: how much goes into one issue."""

    essays: int = Field(5, ge=1, le=50, description="Essays at the most; the newest leads.")
    items: int = Field(6, ge=0, le=100, description="Feed items at the most.")
    per_feed: int = Field(2, ge=1, le=100, description="Items of one feed at the most.")
    per_section: int = Field(
        6, ge=1, le=100, description="Items that belong to one and the same essay at the most."
    )
    max_age_days: int = Field(30, ge=1, le=3650, description="Older feed items stay out.")
    excerpt: int = Field(280, ge=40, le=1000, description="Characters of an excerpt at the most.")
    items_only: bool = Field(False, description="Make an issue even when no essay is new.")
    length: Length = Field(
        "auto", description="Of the leading essay; `auto`: in full while the mail stays small."
    )
    images: Literal["auto", "embedded", "hosted"] = Field(
        "auto",
        description="Pictures in the mail, or below public_url; `auto`: hosted if it is your own.",
    )
    hosts: tuple[Line, ...] = Field(
        (), description="Hosts that a mail may load something from, beside public_url."
    )
    topics: tuple[Line, ...] = Field(
        (), description="Only to readers of these topics, and to those who chose none; empty: all."
    )


class FeedsSettings(Table):
    """`[feeds]`: how feeds are collected."""

    file: str = Field("content/feeds.toml", description="The list of feeds, from the root.")
    vocabulary: str = Field(
        "content/vocabulary.toml",
        description="Concepts and their words, to find items that belong to an essay.",
    )
    allow_private: bool = Field(False, description="Also ask addresses of one's own network.")
    refresh_minutes: int = Field(50, ge=0, description="A feed asked more recently is left alone.")
    deadline_seconds: float = Field(30.0, gt=0, description="For one feed, all together.")
    reading_seconds: float = Field(20.0, gt=0, description="For reading one feed once it is here.")
    git_pull: bool = Field(
        True,
        description="Begin with `git pull --ff-only` where content is a checkout with upstream.",
    )
    contact: Line = Field("", description="Named in the User-Agent; default: the sender's address.")


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
    audience: AudienceSettings = Field(default_factory=AudienceSettings)
    web: WebSettings = Field(default_factory=WebSettings)
    inbox: InboxSettings = Field(default_factory=InboxSettings)
    bounces: BouncesSettings = Field(default_factory=BouncesSettings)
    archive: ArchiveSettings = Field(default_factory=ArchiveSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    doctor: DoctorSettings = Field(default_factory=DoctorSettings)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first, then what newsletter.toml said (handed in as arguments)."""
        if isinstance(env_settings, EnvSettingsSource):
            env_settings.env_vars = {
                **_secrets_from_files(os.environ),
                **{k: v for k, v in env_settings.env_vars.items() if not _names_a_file(k)},
            }
        return (env_settings, init_settings)

    @property
    def store_url(self) -> str:
        """The store's SQLAlchemy address; a relative file is one of the publication's."""
        kind, _, file = self.store.partition(":///")
        if kind == "sqlite" and file:
            return f"{kind}:///{self.home / file}"
        return self.store or f"sqlite:///{self.state / 'upcycle.db'}"


def _names_a_file(variable: str) -> bool:
    """`…__FILE` is a key called file; one underscore before FILE makes a file of the value."""
    name = variable.upper()
    return name.startswith(PREFIX) and name.endswith("_FILE") and not name.endswith("__FILE")


def _secrets_from_files(environment: Mapping[str, str]) -> dict[str, str | None]:
    """`UPCYCLE_NEWS_X_FILE=path` stands for `UPCYCLE_NEWS_X` with the file's content."""
    found: dict[str, str | None] = {}
    for variable, path in environment.items():
        if _names_a_file(variable):
            try:
                text = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
                raise SettingsError(
                    variable, None, f"cannot read the file it names ({reason}); check its path"
                ) from None
            found[variable.lower().removesuffix("_file")] = text
    return found


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
        settings = Settings(**_string_keys(table))
    except ValidationError as error:
        raise describe_validation_error(error, Settings, source=source, file_name=FILE_NAME, prefix=PREFIX) from None
    except SourceError as error:
        raise unreadable_variable(error, PREFIX) from None
    _refuse_secrets_in_toml(table, source)
    state = root / settings.state.expanduser()
    return settings.model_copy(update={"home": root, "state": state})


def _string_keys(table: dict[str, Any]) -> dict[str, Any]:
    """`home` decides where this very file is read from, so the file cannot set it."""
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
    from upcycle_news.config.errors import line_of

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
