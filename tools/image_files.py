"""Pack what an image of a release is built from, and what else is installed beside the program.

    python tools/image_files.py DIST     (a folder with the wheel and its runtime.lock)

Writes DIST/upcycle-news-VERSION-image.tar.gz: deploy/ (Dockerfile, compose file, systemd units, proxies), the wheel and
the lock. The same files give the same bytes, whenever and wherever it is packed.
"""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Time of every file, as hatchling has it without SOURCE_DATE_EPOCH: 2 February 2020.
MTIME = int(os.environ.get("SOURCE_DATE_EPOCH", "1580601600"))
# Compose reads it: the image is built from the wheel beside it.
BUILD_FROM = b"WHEEL=released\n"


def image_files(dist: Path) -> dict[str, tuple[bytes, bool]]:
    """Return the content of each file by its path in the archive, and whether it is a program."""
    (wheel,) = dist.glob("*.whl")
    found = {
        "LICENSE": (ROOT / "LICENSE").read_bytes(),
        f"dist/{wheel.name}": wheel.read_bytes(),
        "dist/runtime.lock": (dist / "runtime.lock").read_bytes(),
        "deploy/docker/.env": BUILD_FROM,
    }
    for path in _deploy_files():
        found[str(path.relative_to(ROOT))] = path.read_bytes()
    return {name: (data, _is_program(ROOT / name)) for name, data in sorted(found.items())}


def _is_program(path: Path) -> bool:
    return path.is_file() and bool(path.stat().st_mode & 0o100)


def _deploy_files() -> list[Path]:
    """Return the files below deploy/ that git knows, as an operator's secrets may lie beside them; in an sdist all."""
    known = subprocess.run(
        ["git", "ls-files", "-z", "deploy"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout
    if known:
        return [ROOT / name for name in known.split("\0") if name]
    return [
        path for path in (ROOT / "deploy").rglob("*") if path.is_file() and path.suffix != ".pyc"
    ]


def pack(files: dict[str, tuple[bytes, bool]], folder: str) -> bytes:
    """Return a .tar.gz with these files below `folder`."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, (data, is_program) in files.items():
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mtime = len(data), MTIME
            entry.mode = 0o755 if is_program else 0o644
            archive.addfile(entry, io.BytesIO(data))
    return gzip.compress(packed.getvalue(), mtime=MTIME)


def main(dist: Path) -> int:
    """Write the archive into `dist` and print its name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name = f"{project['name']}-{project['version']}-image"
    (dist / f"{name}.tar.gz").write_bytes(pack(image_files(dist), name))
    print(f"{name}.tar.gz")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
