"""Create a new publication: its own texts, and copies of the bundled templates and schedules."""

from __future__ import annotations

from datetime import date
from importlib.resources import files
from pathlib import Path

from upcycle_news.errors import UpcycleError
from upcycle_news.fileio import write_atomically
from upcycle_news.scaffold.sample_settings import scaffold_settings
from upcycle_news.version import __version__

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


def init_publication(folder: Path, *, name: str, today: date) -> tuple[Path, ...]:
    """Write a new publication into `folder`, which must be empty or not exist yet.

    Returns the files; raises `UpcycleError` with the cure, having written nothing.
    """
    name = " ".join(name.split())
    if not name.isprintable() or not name:
        raise UpcycleError("the newsletter's name is empty or holds control characters")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UpcycleError(f"{folder}: is not an empty folder; name a new one")
    contents = _contents(name, today)
    written = []
    for path, data in contents.items():
        write_atomically(folder / path, data)
        written.append(folder / path)
    return tuple(written)


def _contents(name: str, today: date) -> dict[str, bytes]:
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
    for name, path in _WORKFLOWS.items():
        text = (own / "ci" / name).read_text(encoding="utf-8")
        contents[path] = text.replace("@VERSION@", __version__).encode()
    for file in _SHARED_FILES:
        contents[file] = (source / file).read_bytes()
    return contents
