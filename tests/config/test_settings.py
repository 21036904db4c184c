from __future__ import annotations

from pathlib import Path

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.config.settings import Settings, load_settings
from upcycle_news.errors import SettingsError

SECRET = "Geheim-4711"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def write(home: Path, text: str) -> None:
    (home / "newsletter.toml").write_text(text, encoding="utf-8")


def refused(home: Path) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(home)
    assert caught.value.exit_code == 1
    assert SECRET not in str(caught.value)
    return str(caught.value)


def test_a_publication_without_a_file_has_usable_defaults(home: Path) -> None:
    settings = load_settings(home)
    assert settings.home == home
    assert settings.state == home / "var"
    assert settings.store_url == f"sqlite:///{home}/var/upcycle.db"
    assert settings.publication.timezone == "Europe/Berlin"
    assert settings.retry.unknown == "hold"


def test_the_environment_wins_over_the_file_key_by_key(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home, '[publication]\nname = "Umbaupost"\ntagline = "aus der Datei"\n')
    monkeypatch.setenv("UPCYCLE_NEWS_PUBLICATION__NAME", "Aus der Umgebung")
    monkeypatch.setenv("UPCYCLE_NEWS_RETRY__FIRST_SECONDS", "0.5")
    settings = load_settings(home)
    assert settings.publication.name == "Aus der Umgebung"
    assert settings.publication.tagline == "aus der Datei"
    assert settings.retry.first_seconds == 0.5


def test_the_root_and_the_state_folder_come_from_the_environment(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write(home, '[publication]\nname = "Umbaupost"\n')
    monkeypatch.chdir("/")
    monkeypatch.setenv("UPCYCLE_NEWS_HOME", str(home))
    monkeypatch.setenv("UPCYCLE_NEWS_STATE", "elsewhere")
    settings = load_settings()
    assert settings.publication.name == "Umbaupost"
    assert settings.state == home / "elsewhere"
    assert settings.store_url.endswith("/elsewhere/upcycle.db")


def test_a_store_of_its_own_is_used_as_written(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPCYCLE_NEWS_STORE", "postgresql+psycopg://host/db")
    assert load_settings(home).store_url == "postgresql+psycopg://host/db"


def test_a_relay_may_be_given_by_the_environment_alone(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in {
        "HOST": "smtp.example.org",
        "PORT": "2525",
        "SECURITY": "tls",
        "USERNAME": "umbaupost",
        "PASSWORD": SECRET,
        "CONNECTIONS": "3",
    }.items():
        monkeypatch.setenv(f"UPCYCLE_NEWS_RELAYS__MAIN__{key}", value)
    with AppContext(load_settings(home)) as context, context.relay() as relay:
        assert (relay.host, relay.port, relay.security) == ("smtp.example.org", 2525, "tls")
        assert (relay.username, relay.password, relay.connections) == ("umbaupost", SECRET, 3)
        assert SECRET not in repr(relay)


@pytest.mark.parametrize(("security", "port"), [("tls", 465), ("starttls", 587), ("none", 25)])
def test_a_relay_without_a_port_uses_the_usual_one(
    home: Path, monkeypatch: pytest.MonkeyPatch, security: str, port: int
) -> None:
    monkeypatch.setenv("UPCYCLE_NEWS_RELAYS__MAIN__HOST", "smtp.example.org")
    monkeypatch.setenv("UPCYCLE_NEWS_RELAYS__MAIN__SECURITY", security)
    with AppContext(load_settings(home)) as context, context.relay() as relay:
        assert relay.port == port


def test_the_environment_adds_a_password_to_a_relay_of_the_file(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home, '[relays.main]\nhost = "smtp.example.org"\nusername = "umbaupost"\n')
    monkeypatch.setenv("UPCYCLE_NEWS_RELAYS__MAIN__PASSWORD", SECRET)
    relay = load_settings(home).relays["main"]
    assert relay.host == "smtp.example.org"
    assert relay.password.get_secret_value() == SECRET


def test_a_relay_without_a_host_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPCYCLE_NEWS_RELAYS__OTHER__HOST", "smtp.example.org")
    with pytest.raises(SettingsError, match=r"\[relays.main\]"):
        _ = AppContext(load_settings(home)).configured_relay


# --- secrets


def test_a_secret_can_be_read_from_a_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "password").write_text(f"{SECRET}\n", encoding="utf-8")
    monkeypatch.setenv("UPCYCLE_NEWS_RELAYS__MAIN__PASSWORD_FILE", str(home / "password"))
    relay = load_settings(home).relays["main"]
    assert relay.password.get_secret_value() == SECRET


def test_the_list_of_feeds_is_a_key_called_file_and_no_secret(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPCYCLE_NEWS_FEEDS__FILE", "elsewhere/feeds.toml")
    assert load_settings(home).feeds.file == "elsewhere/feeds.toml"


def test_a_secret_file_that_is_missing_names_its_variable(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPCYCLE_NEWS_RELAYS__MAIN__PASSWORD_FILE", str(home / "nowhere"))
    message = refused(home)
    assert message.startswith("UPCYCLE_NEWS_RELAYS__MAIN__PASSWORD_FILE: ")
    assert "it is not there" in message


def test_a_password_in_the_file_is_refused_with_its_line_and_the_cure(home: Path) -> None:
    write(home, f'[relays.main]\nhost = "smtp.example.org"\npassword = "{SECRET}"\n')
    message = refused(home)
    assert message.startswith("newsletter.toml:3: ")
    assert "UPCYCLE_NEWS_RELAYS__MAIN__PASSWORD" in message


def test_the_address_for_alerts_is_refused_in_the_file(home: Path) -> None:
    write(home, f'[cockpit]\nwebhook = "https://chat.example.org/hooks/{SECRET}"\n')
    message = refused(home)
    assert message.startswith("newsletter.toml:2: ")
    assert "UPCYCLE_NEWS_COCKPIT__WEBHOOK" in message
    assert SECRET not in message


def test_no_secret_shows_when_settings_are_printed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPCYCLE_NEWS_RELAYS__MAIN__PASSWORD", SECRET)
    settings = load_settings(home)
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert SECRET not in shown


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("RELAYS__MAIN__PASWORD", SECRET),
        ("RELAYS__MAIN__PORT", SECRET),
        ("RELAYS__MAIN", SECRET),
        ("RELAYS", f"{{{SECRET}"),
        ("RELAYS__MAIN__PASSWORD__TYPO", SECRET),
        ("PASSWORD", SECRET),
    ],
)
def test_a_misplaced_secret_is_refused_without_being_shown(
    home: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(f"UPCYCLE_NEWS_{variable}", value)
    assert "UPCYCLE_NEWS_" in refused(home)


def test_a_secret_of_the_wrong_type_is_refused_without_being_shown(home: Path) -> None:
    write(home, f'[relays.main]\npassword = ["{SECRET}"]\n')
    assert refused(home).startswith("newsletter.toml:2: ")


# --- what cannot be used


def test_an_unknown_key_is_refused_with_its_line_and_a_guess(home: Path) -> None:
    write(home, '# Kopf\n[publication]\nname = "Umbaupost"\ntaglin = "…"\n')
    message = refused(home)
    assert message.startswith("newsletter.toml:4: ")
    assert "'publication.taglin'; did you mean 'tagline'?" in message


def test_an_unknown_table_is_refused_with_its_line_and_a_guess(home: Path) -> None:
    write(home, '\n[publicaton]\nname = "Umbaupost"\n')
    message = refused(home)
    assert message.startswith("newsletter.toml:2: ")
    assert "did you mean 'publication'?" in message


def test_an_unknown_key_without_a_close_match_lists_the_known_ones(home: Path) -> None:
    write(home, "[imprint]\nxyzzy = 1\n")
    assert "known are lines" in refused(home)


def test_an_unknown_key_of_a_relay_is_refused_with_a_guess(home: Path) -> None:
    write(home, '[relays.main]\nhots = "smtp.example.org"\n')
    message = refused(home)
    assert message.startswith("newsletter.toml:2: ")
    assert "did you mean 'host'?" in message


def test_an_unknown_variable_is_refused_with_a_guess(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPCYCLE_NEWS_STATTE", "/tmp")
    message = refused(home)
    assert message.startswith("UPCYCLE_NEWS_STATTE: ")
    assert "did you mean UPCYCLE_NEWS_STATE?" in message


def test_an_unknown_nested_variable_is_refused_with_a_guess(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPCYCLE_NEWS_SENDER__ADRESS", "a@example.org")
    message = refused(home)
    assert message.startswith("UPCYCLE_NEWS_SENDER__ADRESS: ")
    assert "did you mean 'address'?" in message


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('[issue]\nitems = "viele"\n', 2, "'issue.items'"),
        ("[issue]\n\nitems = -1\n", 3, "'issue.items'"),
        ("publication = 3\n", 1, "'publication'"),
        ('[publication]\nlanguage = "fr"\n', 2, '"de" or "en"'),
        ('[publication]\ntimezone = "Berlin"\n', 2, "Europe/Berlin"),
        ('[publication]\npublic_url = "example.org"\n', 2, "https://newsletter.example.org"),
        ('[publication]\nname = "zwei\\nZeilen"\n', 2, "one line"),
        ('[publication]\nname = ""\n', 2, "'publication.name'"),
        ('[sender]\naddress = "umbaupost"\n', 2, "exactly one @"),
        ('[sender]\naddress = "a@example.org\\r\\nBcc: b@example.org"\n', 2, "line break"),
        ('[imprint]\nlines = "Umbau e. V."\n', 2, "'imprint.lines'"),
        ('[relays.main]\nsecurity = "ssl"\n', 2, '"starttls"'),
        ("[relays.main]\nport = 70000\n", 2, "'relays.main.port'"),
        ('[retry]\nunknown = "maybe"\n', 2, '"resend"'),
        ("relays = 3\n", 1, "'relays'"),
    ],
)
def test_an_invalid_value_is_refused_with_its_line(
    home: Path, text: str, line: int, words: str
) -> None:
    write(home, text)
    message = refused(home)
    assert message.startswith(f"newsletter.toml:{line}: ")
    assert words in message


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ISSUE__ITEMS", "viele"),
        ("SENDER__ADDRESS", "umbaupost"),
        ("IMPRINT__LINES", "Umbau e. V."),
        ("IMPRINT__LINES", "{}"),
        ("PUBLICATION", "Umbaupost"),
        ("FEEDS__ALLOW_PRIVATE", "vielleicht"),
    ],
)
def test_an_invalid_variable_is_refused_by_name(
    home: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(f"UPCYCLE_NEWS_{variable}", value)
    assert refused(home).startswith(f"UPCYCLE_NEWS_{variable}: ")


def test_broken_toml_is_refused_with_its_line(home: Path) -> None:
    write(home, '[publication]\nname = "Umbaupost\n')
    assert refused(home).startswith("newsletter.toml:2: is not TOML here: ")


def test_a_key_written_twice_is_refused(home: Path) -> None:
    write(home, '[publication]\nname = "a"\nname = "b"\n')
    assert "newsletter.toml:3: is not TOML here" in refused(home)


def test_a_file_in_latin_1_is_refused_with_the_cure(home: Path) -> None:
    (home / "newsletter.toml").write_bytes('[publication]\nname = "Bühne"\n'.encode("latin-1"))
    assert refused(home) == "newsletter.toml: is not UTF-8 text; save it as UTF-8"


def test_a_file_that_begins_with_a_bom_is_read(home: Path) -> None:
    (home / "newsletter.toml").write_bytes(b'\xef\xbb\xbf[publication]\nname = "B\xc3\xbchne"\n')
    assert load_settings(home).publication.name == "Bühne"


def test_the_file_cannot_set_home(home: Path) -> None:
    write(home, 'home = "/tmp"\n')
    assert "UPCYCLE_NEWS_HOME" in refused(home)


def test_the_public_address_has_no_slash_at_its_end(home: Path) -> None:
    write(home, '[publication]\npublic_url = "https://umbaupost.example.net/"\n')
    assert load_settings(home).publication.public_url == "https://umbaupost.example.net"


def test_every_setting_has_a_description() -> None:
    tables = [Settings, *(f.annotation for f in Settings.model_fields.values())]
    for table in tables:
        for name, field in getattr(table, "model_fields", {}).items():
            is_table = hasattr(field.annotation, "model_fields") or name in ("relays", "events")
            assert is_table or field.description, name


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("true", True),
        ("false", False),
        ("on", True),
        ('["wiki.example.org", "10.1.0.0/16"]', ("wiki.example.org", "10.1.0.0/16")),
        ("wiki.example.org, 10.1.0.0/16", ("wiki.example.org", "10.1.0.0/16")),
        ("127.0.0.1", ("127.0.0.1",)),
        ("localhost", ("localhost",)),
        ("[]", ()),
    ],
)
def test_private_hosts_and_networks_are_named_in_the_environment(
    home: Path, monkeypatch: pytest.MonkeyPatch, value: str, expected: object
) -> None:
    monkeypatch.setenv("UPCYCLE_NEWS_FEEDS__ALLOW_PRIVATE", value)
    assert load_settings(home).feeds.allow_private == expected


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (
            '["wiki.example.org:8080"]',
            "„wiki.example.org:8080“ ist weder ein Rechner noch ein Netz",
        ),
        ('["169.254.169.254"]', "„169.254.169.254“ ist link-lokal"),
        ('"vielleicht"', "Es muss true, false oder eine Liste"),
        ("[1]", "Es muss true, false oder eine Liste"),
    ],
)
def test_what_is_no_private_host_is_refused_with_its_line(
    home: Path, value: str, words: str
) -> None:
    write(home, f"[feeds]\nallow_private = {value}\n")
    with pytest.raises(SettingsError) as error:
        load_settings(home)
    told = error.value.in_language("de")
    assert told.startswith("newsletter.toml:2: ")
    assert words in told


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('name = "B"\nurl = "https://a.example.org/feed"', "twice"),
        ('name = "A"\nurl = "https://b.example.org/feed"', "twice"),
        ('name = "B"\nurl = "b.example.org"', "newsletter.toml:7: "),
        ('name = "B"\nurl = "https://b.example.org/feed"\nstauts = "draft"', "newsletter.toml:8: .*status"),
        ('name = "B"', "newsletter.toml:5: "),
    ],
)  # fmt: skip
def test_a_mistake_in_a_list_of_tables_has_its_line(home: Path, table: str, said: str) -> None:
    first = '[[sources]]\nname = "A"\nurl = "https://a.example.org/feed"\n\n'
    (home / "newsletter.toml").write_text(f"{first}[[sources]]\n{table}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=said):
        load_settings(home)


def test_sources_may_be_given_by_the_environment(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "UPCYCLE_NEWS_SOURCES", '[{"name": "A", "url": "https://a.example.org/?feed=rss2"}]'
    )
    [source] = load_settings(home).sources
    assert (source.url, source.status) == ("https://a.example.org/?feed=rss2", "draft")


@pytest.mark.parametrize(
    "lines", ['reminder_from = "18:00"', 'reminder_until = "07:00"', 'reminder_from = ""']
)
def test_reminders_need_hours_in_which_somebody_works(home: Path, lines: str) -> None:
    write(home, f'[publication]\nlanguage = "de"\n\n[cockpit]\n{lines}\n')
    assert "reminder_from" in refused(home)
    write(
        home,
        '[cockpit]\nreminder_from = "18:00"\nreminder_until = "18:01"\nreminder_days = ["sat"]\n',
    )
    assert load_settings(home).cockpit.reminder_days == ("sat",)


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://www.example.org", "https://www.example.org"),
        ("https://WWW.Example.org/", "https://www.example.org"),
        ("https://www.example.org:443", "https://www.example.org"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("https://[2001:DB8::1]:8443", "https://[2001:db8::1]:8443"),
    ],
)
def test_an_origin_is_kept_as_browsers_send_it(written: str, sent: str) -> None:
    assert Settings(web={"signup_origins": [written]}).web.signup_origins == (sent,)


@pytest.mark.parametrize(
    "written",
    [
        "*", "null", "www.example.org", "https://*.example.org", "https://example.org/shop",
        "https://example.org?x=1", "https://anna@example.org", "ftp://example.org", "https://bäume.example",
        "https://example.org:port", "https://",
    ],
)  # fmt: skip
def test_what_is_no_origin_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="signup_origins"):
        Settings(web={"signup_origins": [written]})


@pytest.mark.parametrize(
    ("relay", "reason"),
    [
        ('provider = "postmrk"', "'relays.main.provider' cannot be used: it must be"),
        ('configuration_set = "newsletter"', "'configuration_set' needs provider = \"ses\""),
        ('provider = "postmark"\nconfiguration_set = "x"', 'needs provider = "ses"'),
        ('provider = "mailgun"\nstream = "x"', "'stream' needs provider = \"postmark\""),
        ('tag = "umbaupost"', "'tag' needs a provider"),
        ('provider = "ses"\ntag = "Umbau Post"', "letters from A to Z"),
        ('provider = "postmark"\nstream = "ä"', "letters from A to Z"),
        ('provider = "ses"\nconfiguration_set = "' + "x" * 65 + '"', "64 at the most"),
    ],
)
def test_what_a_provider_does_not_know_is_refused(home: Path, relay: str, reason: str) -> None:
    write(home, f'[relays.main]\nhost = "smtp.example.org"\n{relay}\n')
    assert reason in refused(home)


def test_a_provider_takes_its_own_options(home: Path) -> None:
    write(
        home,
        '[relays.main]\nhost = "smtp.example.org"\nprovider = "ses"\nconfiguration_set = "news"\n'
        '[relays.second]\nhost = "smtp.example.net"\nprovider = "postmark"\nstream = "news"\ntag = "a_1-b"\n',
    )
    relays = load_settings(home).relays
    assert (relays["main"].provider, relays["main"].configuration_set) == ("ses", "news")
    assert (relays["second"].stream, relays["second"].tag) == ("news", "a_1-b")
