"""Measures how long rendering an issue takes, beside the reference MJML compiler.

Both compile the same MJML and inline the same style sheet (ours: mrml, css-inline and our fixes;
the reference: mjml and its juice). "whole issue" adds Jinja2, Markdown and the text part.

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
    render,
)
from upcycle_news.rendering.template_filling import fill_template  # noqa: E402
from upcycle_news.rendering.template_strings import read_toml  # noqa: E402

NODE = ROOT / "tools" / "node"


def timed(work: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Return median and minimum in milliseconds, after five warm-up rounds."""
    times = []
    for number in range(rounds + 5):
        start = time.perf_counter()
        work()
        if number >= 5:
            times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times), min(times)


def style_sheet(manifest: Manifest) -> str:
    """Return our style sheet without comments, which the reference's parser cannot read."""
    variables = {"theme": read_toml(manifest.templates, "theme.toml")}
    return re.sub(
        r"/\*.*?\*/",
        "",
        fill_template(manifest.templates, STYLE_TEMPLATE, variables),
        flags=re.DOTALL,
    )


def reference(mjml: str, css: str, rounds: int) -> dict[str, float] | None:
    """Return the reference compiler's times for the same MJML, in one warm process; None without it."""
    node = shutil.which("node")
    if node is None or not (NODE / "node_modules" / "mjml").is_dir():
        return None
    mjml = mjml.replace("</mj-head>", f'<mj-style inline="inline">{css}</mj-style></mj-head>', 1)
    process = subprocess.run(
        [node, str(NODE / "reference.mjs"), str(rounds)],
        input=mjml, capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    times: dict[str, float] = json.loads(process.stdout)
    return times


def main() -> None:
    """Print one line for each issue."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    print("median (best) in ms; bytes of the encoded HTML part\n")
    print(f"{'issue':<12}{'whole issue':>16}{'MJML, inlined':>16}{'reference':>16}{'factor':>8}"
          f"{'checks':>14}{'bytes':>9}{'text':>8}")  # fmt: skip
    for name, make in sample_issues.ISSUES.items():
        manifest = make()
        rendered = render(manifest)
        whole = timed(lambda m=manifest: render(m), rounds)  # type: ignore[misc]
        css = style_sheet(manifest)
        mjml_only = timed(
            lambda r=rendered, c=css: render_mjml(r.mjml, language=r.language, css=c), rounds
        )  # type: ignore[misc]
        checks = timed(
            lambda r=rendered, m=manifest: preflight(r, m.issue, m.publication),  # type: ignore[misc]
            rounds,
        )
        times = reference(rendered.mjml, css, rounds)
        reference_times, factor = "not installed", ""
        if times is not None:
            reference_times = _pair((times["median_ms"], times["best_ms"]))
            factor = f"{times['best_ms'] / mjml_only[1]:.1f}"
        print(f"{name:<12}{_pair(whole):>16}{_pair(mjml_only):>16}{reference_times:>16}{factor:>8}"
              f"{_pair(checks):>14}{encoded_size(rendered.html):>9}{len(rendered.text.encode()):>8}")  # fmt: skip


def _pair(times: tuple[float, float]) -> str:
    return f"{times[0]:.1f} ({times[1]:.1f})"


if __name__ == "__main__":
    main()
