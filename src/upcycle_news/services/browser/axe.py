"""What axe-core finds in an issue, where a Chromium and axe-core are installed; nothing is fetched."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import RenderedIssue
from upcycle_news.rendering.preview_page import standalone_html
from upcycle_news.services.browser.chromium import AUTO, OFF, browsing

FILE = "axe-core/axe.min.js"
FOLDERS = ("node_modules", "tools/node/node_modules")
"""Below the publication, where npm installs into; then those of the system."""
SYSTEM_FOLDERS = (Path("/usr/local/lib/node_modules"), Path("/usr/lib/node_modules"))
SECONDS = 30.0
_WIDTH = 680  # CSS pixels, as the preview page's desktop


@dataclass(frozen=True)
class Violation:
    """A rule of axe-core that an issue breaks, what it asks for, and an element; `scheme` light or dark."""

    rule: str
    help: str
    element: str
    scheme: str


@dataclass(frozen=True)
class AxeResult:
    """How many rules hold, and which do not; `version` is axe-core's."""

    version: str
    passes: int
    violations: tuple[Violation, ...]


def find_axe(setting: str, home: Path) -> Path | None:
    """Return the file that `browser.axe` means; None when it is off or none is installed."""
    if setting == OFF:
        return None
    if setting != AUTO:
        path = home / Path(setting).expanduser()
        return path if path.is_file() else None
    folders = [*(home / folder for folder in FOLDERS), *SYSTEM_FOLDERS]
    return next((path for folder in folders if (path := folder / FILE).is_file()), None)


def examine(
    rendered: RenderedIssue, program: str | None, script: Path | None, language: str
) -> AxeResult | LocalizedText:
    """Return what axe-core finds in an issue, light and dark, or why it was not examined.

    `program` is the Chromium and `script` axe-core's file, each None where there is none.
    """
    try:
        if program is None or script is None:
            return localized("axe-no-chromium") if program is None else localized("axe-none")
        source = script.read_text(encoding="utf-8")
        return _run(program, source, standalone_html(rendered), _locale(script, language))
    except (OSError, UnicodeDecodeError, KeyError, TypeError) as error:
        return localized("axe-failed", why=type(error).__name__)
    except UpcycleError as error:
        return localized("axe-failed", why=error.localized_text)


def _locale(script: Path, language: str) -> str:
    """Return axe-core's own words in a language as JSON; empty where it has none."""
    try:
        text = (script.parent / "locales" / f"{language[:2]}.json").read_text(encoding="utf-8")
        json.loads(text)
    except (OSError, ValueError):
        return ""
    return text


# The two rules about landmarks are for web pages: a mail is shown inside one that has them.
_CALL = """
axe.run({rules: {region: {enabled: false}, 'landmark-one-main': {enabled: false}}}).then(result => ({
  version: result.testEngine.version,
  passes: result.passes.length,
  violations: result.violations.map(v => ({rule: v.id, help: v.help, element: v.nodes[0].html})),
}))
"""


def _run(program: str, source: str, html: str, locale: str) -> AxeResult:
    violations: list[Violation] = []
    version, passes = "", 0
    with browsing(program, seconds=SECONDS) as browser:
        for scheme in ("light", "dark"):
            browser.show(html, width=_WIDTH, dark=scheme == "dark")
            browser.evaluate(f"{source};0")
            if locale:
                browser.evaluate(f"axe.configure({{locale: {locale}}});0")
            found = browser.evaluate(_CALL)
            version, passes = str(found["version"]), int(found["passes"])
            violations += [Violation(**one, scheme=scheme) for one in found["violations"]]
    return AxeResult(version, passes, tuple(violations))
