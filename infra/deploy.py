"""Puts Outlast on AWS, and takes it away again: `make deploy`, `make destroy`.

This file needs nothing but Python 3.10: it makes an environment with what the rest needs (requirements.txt) in the
user's cache, once, and goes on in it.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "outlast/tools"


def environment(requirements: Path) -> Path:
    """Python with those packages."""
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    venv = cache() / f"deploy-{digest[:12]}"
    python = venv / "bin/python"
    done = venv / ".complete"
    if not done.exists():
        print(
            f"Set-up: a Python environment with the packages of {requirements.name} (once, about a minute)", flush=True
        )
        shutil.rmtree(venv, ignore_errors=True)
        venv.parent.mkdir(parents=True, exist_ok=True)
        make = [sys.executable, "-m", "venv", str(venv)]
        if subprocess.run(make, capture_output=True, check=False).returncode != 0:
            raise SystemExit("error: Python's venv module is missing (Debian: apt-get install python3-venv)")
        install = [
            str(python),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
            str(requirements),
        ]
        if subprocess.run(install, check=False).returncode != 0:
            raise SystemExit("error: the packages could not be installed; what pip said stands above")
        done.touch()
    return python


def main() -> None:
    if sys.version_info < (3, 10):
        raise SystemExit("error: this needs Python 3.10 or later")
    python = environment(HERE / "requirements.txt")
    os.execv(python, [str(python), str(HERE / "cli.py"), *sys.argv[1:]])


if __name__ == "__main__":
    main()
