#!/bin/sh
# Brings uv where there is none: by pipx or pip of this machine, else into a small environment in .uv.
set -eu
cd "$(dirname "$0")/.."
if command -v pipx >/dev/null 2>&1 && pipx install --quiet uv && command -v uv >/dev/null 2>&1; then
    exit 0
fi
if python3 -m venv .uv 2>/dev/null && .uv/bin/python -m pip install --quiet uv; then
    exit 0
fi
rm -rf .uv
if python3 -m pip install --quiet --user uv && command -v uv >/dev/null 2>&1; then
    exit 0
fi
echo "uv is missing and could not be installed: install Python 3.11 or newer with venv, or uv itself (docs.astral.sh/uv)." >&2
exit 1
