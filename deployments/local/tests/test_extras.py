"""A vector store whose library is missing: it is installed, or one line names a command that does it."""

import importlib.util
import os
import stat
import sys
from pathlib import Path

import pytest
from atrium_local import extras
from atrium_local.errors import WrongSettingsError
from atrium_local.installation import Installation
from atrium_local.settings import LocalSettings


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH beside the shell's own programs; chromadb is not installed."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
    find = importlib.util.find_spec
    monkeypatch.setattr(
        extras.importlib.util, "find_spec", lambda name: None if name == "chromadb" else find(name)
    )
    monkeypatch.setattr(
        extras.shutil, "which", lambda name: str(folder / name) if (folder / name).exists() else None
    )
    return folder


def put_uv(folder: Path, script: str) -> None:
    path = folder / "uv"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def installation(tmp_path: Path) -> Installation:
    return Installation.open(LocalSettings(atrium_home=tmp_path / "home"))


@pytest.mark.parametrize("by_file", [False, True])
def test_the_library_of_the_chosen_store_is_installed(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch, *, by_file: bool
) -> None:
    asked = tmp_path / "asked"
    put_uv(programs, f'echo "$@" "$UV_PROJECT_ENVIRONMENT" > {asked}')
    made = installation(tmp_path)
    if by_file:
        (made.home.env / "retrieval-service.local.env").write_text("VECTOR_DB=chroma\n")
    else:
        monkeypatch.setenv("VECTOR_DB", "chroma")
    extras.install_missing(made)
    assert asked.read_text().split() == [
        "sync",
        "--quiet",
        "--locked",
        "--inexact",
        "--no-dev",
        "--extra",
        "chroma",
        sys.prefix,
    ]


def test_nothing_is_installed_for_another_store_or_a_service_left_out(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_uv(programs, "exit 1")
    extras.install_missing(installation(tmp_path))
    monkeypatch.setenv("VECTOR_DB", "chroma")
    extras.install_missing(
        Installation.open(LocalSettings(atrium_home=tmp_path / "home", except_services="retrieval-service"))
    )


def test_when_it_cannot_be_installed_one_line_names_a_command(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VECTOR_DB", "chroma")
    made = installation(tmp_path)
    with pytest.raises(WrongSettingsError, match=r"-m pip install chromadb"):
        extras.install_missing(made)
    put_uv(programs, "echo no network >&2; exit 2")
    with pytest.raises(WrongSettingsError, match=r"\(no network\): run `uv sync --extra chroma`") as refusal:
        extras.install_missing(made)
    assert "\n" not in str(refusal.value)
    assert refusal.value.status == 2
