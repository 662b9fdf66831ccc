"""Automatic titles: the first words of the first message, no model asked."""

TITLE_CHARS_MAX = 60
UNTITLED = "New chat"


def title_from(content: str) -> str | None:
    """Up to 60 characters of the first line that says something, cut between words; None when
    nothing does.
    """
    line = next((line for line in content.splitlines() if line.strip(" #>*-`\t")), "")
    title = " ".join(line.split()).strip("#>*-` ")
    if len(title) <= TITLE_CHARS_MAX:
        return title or None
    shortened = title[:TITLE_CHARS_MAX].rsplit(" ", 1)[0]
    return f"{shortened.rstrip('.,;:')}…"
