"""Every page and state of the web client under axe-core, in a language whose texts are 40 % longer, wide and
on a phone.
"""

import os
import subprocess

import pytest
from suite.browser import ROOT, chromium, require_tools

pytestmark = [pytest.mark.e2e, pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(2700)]


def test_every_page_has_room_for_longer_texts_and_no_barrier() -> None:
    require_tools()
    environment = {**os.environ, "CHROMIUM": chromium() or ""}
    done = subprocess.run(
        ["npm", "run", "--silent", "pseudo"],
        cwd=ROOT / "web",
        env=environment,
        capture_output=True,
        text=True,
        timeout=2600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
