"""The commands of docs/api.md, "Over HTTP", run as they stand there, one after another in one shell."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ..processes import free_port
from ..publications import Publication
from ..web.web_server import running_server
from .blocks import blocks


@pytest.mark.slow
@pytest.mark.timeout(400)  # a dozen commands, each a process
@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_commands_of_the_guide_do_what_it_says(publication: Publication) -> None:
    publication.write_essay()
    context = publication.context()
    script = "\n".join(block.text for block in blocks("docs/api.md"))
    assert script.count("curl ") >= 9
    # In a shell, so that one block's variables are the next one's.
    script = "set -eu\n" + script.replace("curl -s", "curl -sS --noproxy '*' --fail-with-body")
    with running_server(context, free_port()) as server:
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=publication.home,
            env={
                **os.environ,
                "SITE": server.url,
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            },
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout
    answers, decoder = [], json.JSONDecoder()
    while said := said.strip():
        answer, end = decoder.raw_decode(said)
        answers.append(answer)
        said = said[end:]
    added, history, left, confirmed, listed, approved, sent, events = answers
    assert added == {"accepted": True, "delay_seconds": 0}
    assert history["status"] == "pending"
    assert left == {"changed": True}
    assert confirmed["result"] == "added"
    assert listed == {"issues": []}
    assert approved["issue"] == "2026-11-26"
    assert (sent["audience"], sent["queued"]) == (1, 1)
    assert events == {"events": [], "next": events["next"], "more": False}
    assert int(events["next"]) > 0
