"""The client says things by the codes of errors: a code that no service has would never be shown."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_OWN = {"network_unreachable"}
"""What the page finds out by itself."""


def test_every_code_that_the_client_explains_is_one_of_a_service() -> None:
    page = (ROOT / "web/src/lib/chat/faults.ts").read_text()
    explained = set(re.findall(r"^\t([a-z_]+): \{\s*title", page, re.MULTILINE))
    assert len(explained) > 30
    for page in (ROOT / "web/src/lib/i18n").glob("*/by-code.ts"):
        translated = set(re.findall(r"^\t([a-z_]+):", page.read_text(), re.MULTILINE))
        assert len(translated) > 30, page
        explained |= translated
    sources = [
        path.read_text()
        for folder in ROOT.glob("*/src")
        if folder.parent.name != "web"
        for path in folder.rglob("*.py")
    ]
    said = set(re.findall(r"\"([a-z_]+)\"", "\n".join(sources)))
    # `<stem>_unavailable` is what every client of a service says when it does not answer.
    said |= {f"{folder.name.removesuffix('-service')}_unavailable" for folder in ROOT.glob("*-service")}
    assert explained - said - _OWN == set()
