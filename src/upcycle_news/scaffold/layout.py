"""Create a new publication: its own texts, and copies of the bundled templates and schedules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from importlib.resources import files
from pathlib import Path

from upcycle_news.errors import UpcycleError
from upcycle_news.fileio import write_atomically
from upcycle_news.i18n.messages import localized
from upcycle_news.scaffold.sample_settings import scaffold_settings
from upcycle_news.version import __version__

LOOKS = "looks"
"""The folder, beside the bundled templates, with a folder for each look that is not theirs."""

BUNDLED_LOOK = "letter"
"""The look of the bundled templates themselves."""

_LOOK_SETTING = """
[templates]
look = "{look}"       # letter, bulletin oder magazine: woher alles ist, was in templates/ nicht steht
"""
_OWN_THEME = """\
# Was dieser Newsletter an seinem Aussehen ändert: „{look}“, in newsletter.toml. Alles andere kommt vom Programm und
# wird mit ihm neu: Schriften, Größen, Abschnitte, Vorlagen. `upcycle-news templates list` zeigt sie,
# `upcycle-news templates copy partials/lead.mjml` holt eine hierher. Die Farben im Dunkeln folgen aus diesen.
# Logo ([logo]), Kopf ([masthead]) und Abschnitte ([mail]) kommen dazu, wie docs/templates.md sie nennt.

{palette}
"""

_SHARED = ("templates", "deploy/systemd", "deploy/proxy")
_SHARED_FILES = (
    "prefect.yaml", "prefect.toml", "content/feeds.toml", "content/vocabulary.toml",
    "deploy/automations.yaml",
)  # fmt: skip
_WORKFLOWS = {"github.yml": ".github/workflows/newsletter.yml", "gitlab.yml": ".gitlab-ci.yml"}
# What a publication holds of each flow, so that `python flows/NAME.py` works there, too. The flow itself
# comes with the package and is upgraded with it.
_FLOW = """\
from runpy import run_module  # the flow comes with the program: nothing here grows old
run_module("upcycle_news_flows.{name}", run_name="__main__", alter_sys=True)
"""


def bundled_publication() -> Path:
    """Return the publication bundled with the program: in the wheel, or the checkout itself."""
    package = Path(__file__).resolve().parents[1]
    packed = package / "_publication"
    return packed if packed.is_dir() else package.parents[1]


def init_publication(folder: Path, *, name: str, today: date, look: str = "") -> tuple[Path, ...]:
    """Write a new publication into `folder`, which must be empty or not exist yet.

    With a `look` its templates stay with the program, and only a theme is written; without one all are copied.
    Returns the files; raises `UpcycleError` with the cure, having written nothing.
    """
    name = " ".join(name.split())
    if not name.isprintable() or not name:
        raise UpcycleError(localized("init-name-bad"))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UpcycleError(localized("init-not-empty", folder=folder))
    contents = _contents(name, today, look)
    written = []
    for path, data in contents.items():
        write_atomically(folder / path, data)
        written.append(folder / path)
    return tuple(written)


def _contents(name: str, today: date, look: str) -> dict[str, bytes]:
    source = bundled_publication()
    own = files("upcycle_news.scaffold")
    settings = scaffold_settings()
    essay = (own / "willkommen.md").read_text(encoding="utf-8")
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    contents = {
        "newsletter.toml": settings.replace("Mein Newsletter", quoted).encode(),
        f"content/essays/{today}-willkommen.md": essay.replace("2026-01-01", str(today)).encode(),
        "content/images/README.md": b"Bilder der Essays: JPEG oder PNG.\n",
        ".gitignore": b"var/\n",
    }
    for folder in _SHARED:
        for path in sorted((source / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                contents[str(path.relative_to(source))] = path.read_bytes()
    for path in sorted((source / "flows").glob("[!_]*.py")):
        contents[f"flows/{path.name}"] = _FLOW.format(name=path.stem).encode()
    for workflow, place in _WORKFLOWS.items():
        text = (own / "ci" / workflow).read_text(encoding="utf-8")
        contents[place] = text.replace("@VERSION@", __version__).encode()
    for file in _SHARED_FILES:
        contents[file] = (source / file).read_bytes()
    return _with_look(contents, look) if look else contents


def _with_look(contents: Mapping[str, bytes], look: str) -> dict[str, bytes]:
    """Return the files of a publication that has its templates from a look, and only colours of its own."""
    bundled = contents["templates/theme.toml"].decode()
    of_look = bundled_publication() / LOOKS / look / "theme.toml"
    theme = bundled if look == BUNDLED_LOOK else of_look.read_text(encoding="utf-8")
    palette = theme[theme.index("[light]") :].partition("\n\n")[0]
    kept = {name: data for name, data in contents.items() if not name.startswith("templates/")}
    kept["templates/theme.toml"] = _OWN_THEME.format(look=look, palette=palette).encode()
    kept["newsletter.toml"] += _LOOK_SETTING.format(look=look).encode()
    return kept
