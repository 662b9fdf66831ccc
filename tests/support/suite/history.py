"""Earlier versions of a committed file: what is running somewhere may have been written for them."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
COMMITS = 5  # so many changes of a file back


def git(*arguments: str) -> str | None:
    """What git says; None when there is no repository or no such thing in it."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def earlier_texts(name: str) -> list[str]:
    """The file in the last commits that changed it and in the last release; `name` is its path in
    the clone.
    """
    commits = (git("log", "-n", str(COMMITS), "--format=%H", "--", name) or "").split()
    tag = (git("describe", "--tags", "--abbrev=0") or "").split()
    texts = [git("show", f"{reference}:{name}") for reference in commits + tag]
    return [text for text in texts if text]
