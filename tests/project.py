"""The files of the project, with or without git."""

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent


def ask_git(*arguments):
    """What git prints; None in an unpacked ZIP file, and where git refuses a tree that belongs to another user."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        return None
    git = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, encoding="utf-8")
    return None if git.returncode else git.stdout


def project_files():
    """Names of the files that git tracks; without git, of all files except those that .gitignore names."""
    listed = ask_git("ls-files", "-z")
    if listed is not None:
        return [name for name in listed.split("\0") if name]
    ignore = shutil.ignore_patterns(".git", *(ROOT / ".gitignore").read_text("utf-8").replace("/", "").split())
    names = []
    for folder, folders, files in os.walk(ROOT):
        ignored = ignore(folder, folders + files)
        folders[:] = [name for name in folders if name not in ignored]
        names += [Path(folder, name).relative_to(ROOT).as_posix() for name in files if name not in ignored]
    return names


def copy_project(target):
    """Copy the files into a new folder; from git's index, which has the package even after `.ci/package` removed it."""
    if ask_git("checkout-index", "--all", f"--prefix={target}/") is None:
        for name in project_files():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
