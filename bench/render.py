"""How long an issue takes from its manifest to bytes, and the reference MJML beside it.

Both compile the same MJML and inline the same style sheet (ours: mrml, css-inline and all our
mending; theirs: mjml and the juice it brings). "whole issue" is also Jinja2, Markdown and the text.

`python bench/render.py [ROUNDS]`; the reference needs `cd tools/node && npm ci`.
"""

from __future__ import annotations

import json
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.rendering import sample_issues  # noqa: E402

from upcycle_news.checks.issue import preflight  # noqa: E402
from upcycle_news.models import Manifest  # noqa: E402
from upcycle_news.rendering.mjml import render_mjml  # noqa: E402
from upcycle_news.rendering.render import (  # noqa: E402
    STYLE_TEMPLATE,
    encoded_size,
    fill_template,
    render,
)
from upcycle_news.rendering.template_strings import read_toml  # noqa: E402

NODE = ROOT / "tools" / "node"


def timed(work: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Median and best, in milliseconds, after five rounds of warming up."""
    times = []
    for number in range(rounds + 5):
        start = time.perf_counter()
        work()
        if number >= 5:
            times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times), min(times)


def style_sheet(manifest: Manifest) -> str:
    """Our sheet as `render` fills it in; the reference's parser stumbles over its comments."""
    names = {"theme": read_toml(manifest.templates, "theme.toml")}
    return re.sub(
        r"/\*.*?\*/", "", fill_template(manifest.templates, STYLE_TEMPLATE, names), flags=re.DOTALL
    )


def reference(mjml: str, css: str, rounds: int) -> dict[str, float] | None:
    """What the reference compiler needs for the same MJML, in one warm process; None without it."""
    node = shutil.which("node")
    if node is None or not (NODE / "node_modules" / "mjml").is_dir():
        return None
    mjml = mjml.replace("</mj-head>", f'<mj-style inline="inline">{css}</mj-style></mj-head>', 1)
    done = subprocess.run(
        [node, str(NODE / "reference.mjs"), str(rounds)],
        input=mjml, capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Print one line an issue."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    print("median (best) in ms; bytes of the encoded HTML part\n")
    print(f"{'issue':<12}{'whole issue':>16}{'MJML, inlined':>16}{'reference':>16}{'factor':>8}"
          f"{'checks':>14}{'bytes':>9}{'text':>8}")  # fmt: skip
    for name, make in sample_issues.ISSUES.items():
        manifest = make()
        rendered = render(manifest)
        whole = timed(lambda m=manifest: render(m), rounds)  # type: ignore[misc]
        css = style_sheet(manifest)
        only = timed(
            lambda r=rendered, c=css: render_mjml(r.mjml, language=r.language, css=c), rounds
        )  # type: ignore[misc]
        checks = timed(
            lambda r=rendered, m=manifest: preflight(r, m.issue, m.publication),  # type: ignore[misc]
            rounds,
        )
        told = reference(rendered.mjml, css, rounds)
        theirs = "not installed" if told is None else _pair((told["median_ms"], told["best_ms"]))
        factor = "" if told is None else f"{told['best_ms'] / only[1]:.1f}"
        print(f"{name:<12}{_pair(whole):>16}{_pair(only):>16}{theirs:>16}{factor:>8}"
              f"{_pair(checks):>14}{encoded_size(rendered.html):>9}{len(rendered.text.encode()):>8}")  # fmt: skip


def _pair(times: tuple[float, float]) -> str:
    return f"{times[0]:.1f} ({times[1]:.1f})"


if __name__ == "__main__":
    main()
