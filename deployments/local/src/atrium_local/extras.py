"""Libraries that only some settings need: installed when they are asked for, before anything is started."""

import importlib.util
import shutil
import subprocess
import sys

from shared.settings import environment

from atrium_local.console import say
from atrium_local.errors import WrongSettingsError
from atrium_local.installation import Installation
from atrium_local.services import service_named

_RETRIEVAL = "retrieval-service"


def install_missing(installation: Installation) -> None:
    """What VECTOR_DB needs and is not here.

    Raises: WrongSettingsError naming a command that installs it.
    """
    if _RETRIEVAL in installation.settings.left_out:
        return
    wanted = installation.environments.for_service(service_named(_RETRIEVAL)).get("VECTOR_DB")
    if wanted == "chroma" and importlib.util.find_spec("chromadb") is None:
        _install(installation, "chroma")


def _install(installation: Installation, extra: str) -> None:
    uv = shutil.which("uv")
    if uv is None:
        raise WrongSettingsError(
            f"VECTOR_DB={extra} needs the library chromadb: run `{sys.executable} -m pip install chromadb`."
        )
    say(f"  installing what VECTOR_DB={extra} needs (370 MB, once)")
    command = [uv, "sync", "--quiet", "--locked", "--inexact", "--no-dev", "--extra", extra]
    done = subprocess.run(
        command,
        cwd=installation.settings.clone_root,
        env={**environment(), "UV_PROJECT_ENVIRONMENT": sys.prefix},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise WrongSettingsError(
            f"VECTOR_DB={extra} needs a library that could not be installed ({reason}): run `uv sync "
            f"--extra {extra}`."
        )
