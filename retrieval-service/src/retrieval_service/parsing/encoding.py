"""Which encoding a text is in that does not say it: found with confidence, or not at all.

A text in the wrong encoding is read without an error and is garbage that nobody finds anything in, so a guess
is worse than a refusal.
"""

import re
from typing import Any, Final, cast

import charset_normalizer

# What people's files are in. Larger sets contain smaller ones: GB18030 is GBK and GB2312, cp949 is EUC-KR,
# cp932 is Shift-JIS.
_EAST_ASIAN: Final = ("gb18030", "big5", "cp932", "euc_jp", "cp949")
_OTHER_SCRIPTS: Final = (
    "cp1251",
    "koi8_r",
    "koi8_u",
    "cp866",
    "iso8859_5",
    "cp1253",
    "cp1255",
    "cp1256",
    "cp874",
)
_WESTERN: Final = "cp1252"
_LATIN: Final = (_WESTERN, "cp1250", "iso8859_2", "cp1254", "cp1257")
_SAMPLE_BYTES: Final = 128 * 1024
_CHAOS_MAX: Final = 0.15
_COHERENCE_MIN: Final = 0.1  # the share of a language's frequent letters in their order
_NEARLY: Final = 0.05  # coherence of Western encodings differs by no more for the same letters
_REPLACED_SHARE_MAX: Final = 0.001
_UTF8_GOOD_PER_BAD_MIN: Final = 20
_HIGH: Final = re.compile(rb"[\x80-\xff]")
_ISO_2022_JP: Final = re.compile(rb"\x1b\$[@B]")
_KANA: Final = re.compile("[\u3041-\u30ff]")
_HALF_KANA: Final = re.compile("[\uff61-\uff9f]")
_EAST: Final = re.compile(
    "[\u2e80-\u30ff\u3130-\u318f\u3400-\u9fff\uac00-\ud7a3\uff01-\uffee\U00020000-\U0003ffff]"
)
# And capitals behind small letters, which is what quotation marks of old Macs become.
_SIGN_IN_WORD: Final = re.compile(
    "(?<=[^\\W\\d_])[\u0080-\u00bf\u00d7\u00f7\u0192\u02c6-\u02dd\u2013-\u2018\u201a-\u203a\u20ac\u2122](?=[^\\W\\d_])"
    "|(?<=[a-z])[\u00c0-\u00d6\u00d8-\u00de\u0152\u0160\u0178\u017d]"
)
_SIGNS_SHARE_MAX: Final = 0.02
_TURKISH: Final = "cp1254"
_ICELANDIC: Final = re.compile("[ÝÞÐýþð]")
_ICELANDIC_BESIDE: Final = re.compile("[áéíóúæÁÉÍÓÚÆ]")
_TURKISH_BESIDE: Final = re.compile("[çüÇÜ]")
_ICELANDIC_SHARE_MIN: Final = 0.2  # less is a name in another language
_CENTRAL: Final = "cp1250"
_LIKE_HUNGARIAN: Final = re.compile("[õûÕÛ]")
_HUNGARIAN_BESIDE: Final = (re.compile("[öüÖÜ]"), re.compile("[áíóúÁÍÓÚ]"))
_NEVER_HUNGARIAN: Final = re.compile("[ãçèàùêñÃÇÈÀÙÊÑ]")
_PAIR: Final = re.compile(rb"(?:[\xa1-\xf9][\x40-\x7e\xa1-\xfe])+")
_PAIRS_MIN: Final = 4
_CASED: Final = frozenset({"cp1251", "koi8_r", "koi8_u", "cp866", "iso8859_5", "cp1253"})
_SOUND_CASE_SHARE_MIN: Final = 0.8  # of the words; trade names have their own
_CYRILLIC: Final = ("cp1251", "koi8_r", "cp866", "iso8859_5")
_CYRILLIC_LETTER: Final = re.compile("[\u0400-\u045f\u0490\u0491]")
_CYRILLIC_TEXT: Final = re.compile("[А-яЁёІіЇїЄєҐґЎў«»—–“”„‘’…№€\u00a0]")
_LETTERS_MIN: Final = 6
_WORD: Final = re.compile(r"[^\W\d_]+")
_MIXED: Final = re.compile("[A-Za-z][\u0400-\u04ff]|[\u0400-\u04ff][A-Za-z]")
_WESTERN_SIGN: Final = re.compile("[\u2018-\u2026\u2013\u2014\u20ac\u2122£§©®°·«»\u00a0]")
_WESTERN_LETTER: Final = re.compile(
    "[\u00a1-\u00bf\u00c0-\u00ff\u0152\u0153\u0160\u0161\u017d\u017e\u0178\u20ac\u2013-\u2026\u2122\u00a0]"
)


def decode_unmarked(raw: bytes) -> str | None:
    """The text, None when no encoding stands out. `raw` is not valid UTF-8."""
    if (text := _damaged_utf8(raw)) is not None:
        return text
    sample = _sample(raw)
    name = _encoding(sample)
    if name is None:
        return None
    text = raw.decode(name, errors="replace")
    return text if text.count("\ufffd") <= len(text) * _REPLACED_SHARE_MAX else None


def is_iso_2022_jp(raw: bytes) -> bool:
    """Japanese mail: all of its bytes are ASCII."""
    return _ISO_2022_JP.search(raw) is not None


def _damaged_utf8(raw: bytes) -> str | None:
    """UTF-8 with a broken character here and there."""
    text = raw.decode("utf-8", errors="replace")
    bad = text.count("\ufffd")
    good = _foreign(text) - bad
    return text if good >= bad * _UTF8_GOOD_PER_BAD_MIN else None


def _sample(raw: bytes) -> bytes:
    """Lines that are not all ASCII, up to a size. No byte of a longer character is a line feed, or
    a blank.
    """
    lines: list[bytes] = []
    size = 0
    for line in raw[: 64 * _SAMPLE_BYTES].splitlines(keepends=True):
        if _HIGH.search(line):
            lines.append(
                line
                if len(line) <= _SAMPLE_BYTES
                else line[: line.rfind(b" ", 0, _SAMPLE_BYTES) + 1] or line[:_SAMPLE_BYTES]
            )
            size += len(lines[-1])
            if size >= _SAMPLE_BYTES:
                break
    return b"".join(lines)


def _encoding(sample: bytes) -> str | None:
    # A line that is cut may end inside a character.
    for end in range(len(sample), max(len(sample) - 4, 0), -1):
        if (
            name := _by_language(sample[:end]) or _by_bytes(sample[:end]) or _by_words(sample[:end])
        ) is not None:
            return name
    return _WESTERN if _looks_western(sample) else None


def _by_language(sample: bytes) -> str | None:
    """By how frequent letters follow each other."""
    found = {str(match.encoding): match for match in _matches(sample) if match.chaos <= _CHAOS_MAX}
    for name in ("cp932", "euc_jp"):
        if name in found and _is_japanese(str(found[name])):
            return name
    found = {name: match for name, match in found.items() if name not in _CASED or _is_cased(str(match))}
    ranked = sorted(found.values(), key=lambda match: (-round(match.coherence, 2), match.chaos))
    best = next((match for match in ranked if match.coherence >= _COHERENCE_MIN), None)
    if best is None:
        return None
    name = str(best.encoding)
    if name in _EAST_ASIAN:
        return name if _share(_EAST, str(best)) >= 0.9 else None
    return _best_latin(found) if name in _LATIN else name


def _is_cased(text: str) -> bool:
    """Whether capitals stand where they do in words: Greek becomes frequent Cyrillic letters, but in wORDS
    lIKE tHESE.
    """
    words = [word for word in _WORD.findall(text) if not word.isascii()]
    return sum(_has_sound_case(word) for word in words) >= _SOUND_CASE_SHARE_MIN * len(words)


def _has_sound_case(word: str) -> bool:
    return word.islower() or word.isupper() or word[1:].islower()


def _best_latin(found: dict[str, Any]) -> str | None:
    """The one whose letters are letters: the others put signs into words. Western when that leaves
    several.
    """
    matches = [found[name] for name in _LATIN if name in found]
    signs = {match.encoding: len(_SIGN_IN_WORD.findall(str(match))) for match in matches}
    fewest = min(signs.values())
    if fewest > _SIGNS_SHARE_MAX * max(_foreign(str(match)) for match in matches):
        return None
    matches = [match for match in matches if signs[match.encoding] == fewest]
    best = max(matches, key=lambda match: match.coherence)
    western = next((match for match in matches if match.encoding == _WESTERN), None)
    if western is not None:
        if (other := _behind_western(str(western))) is not None:
            return other if any(match.encoding == other for match in matches) else None
        if western.coherence >= best.coherence - _NEARLY:
            return _WESTERN
    return str(best.encoding) if best.coherence >= _COHERENCE_MIN else None


def _behind_western(text: str) -> str | None:
    """The encoding of a language that looks Western but for a few letters: Turkish has its own in the places
    of the Icelandic ones,
    Hungarian in those of the Portuguese and the French one. What stands beside them tells."""
    if _share(_ICELANDIC, text) >= _ICELANDIC_SHARE_MIN and len(_TURKISH_BESIDE.findall(text)) > len(
        _ICELANDIC_BESIDE.findall(text)
    ):
        return _TURKISH
    if (
        _LIKE_HUNGARIAN.search(text)
        and all(mark.search(text) for mark in _HUNGARIAN_BESIDE)
        and not _NEVER_HUNGARIAN.search(text)
    ):
        return _CENTRAL
    return None


def _is_japanese(text: str) -> bool:
    return _share(_KANA, text) >= 0.2 and _share(_EAST, text) >= 0.9 and _share(_HALF_KANA, text) <= 0.1


def _by_bytes(sample: bytes) -> str | None:
    """Short Chinese: its frequent characters come first in GB 2312 and in Big5, and only there do so many
    follow each other.
    """
    high = _PAIR.findall(sample)
    if sum(map(len, high)) < _PAIRS_MIN * 2 or _HIGH.search(_PAIR.sub(b"", sample)):
        return None
    pairs = [(run[at], run[at + 1]) for run in high for at in range(0, len(run) - 1, 2)]
    words = [(lead, trail) for lead, trail in pairs if lead >= 0xA4]
    if len(words) < _PAIRS_MIN:
        return None
    if all(trail >= 0xA1 for _, trail in pairs):
        # Up to 0xC8 it could as well be Korean.
        common = sum(0xB0 <= lead <= 0xD7 for lead, _ in words) >= 0.9 * len(words)
        return "gb18030" if common and any(0xC9 <= lead <= 0xD7 for lead, _ in words) else None
    return (
        "big5"
        if sum(lead <= 0xC6 for lead, _ in words) >= 0.95 * len(words) and _decodes(sample, "big5")
        else None
    )


def _decodes(sample: bytes, name: str) -> bool:
    try:
        sample.decode(name)
    except UnicodeDecodeError:
        return False
    return True


def _by_words(sample: bytes) -> str | None:
    """Short Cyrillic: read in another of its encodings, words mix alphabets, capitals and signs."""
    fitting = [name for name in _CYRILLIC if _decodes(sample, name) and _is_cyrillic(sample.decode(name))]
    return fitting[0] if len(fitting) == 1 else None


def _is_cyrillic(text: str) -> bool:
    letters = len(_CYRILLIC_LETTER.findall(text))
    if letters < _LETTERS_MIN or _share(_CYRILLIC_TEXT, text) < 1:
        return False
    words = _WORD.findall(text)
    return all(_has_sound_case(word) for word in words if not word.isascii()) and not any(
        map(_MIXED.search, words)
    )


def _matches(sample: bytes) -> list[Any]:
    wanted = [*_EAST_ASIAN, *_OTHER_SCRIPTS, *_LATIN]
    found = cast("Any", charset_normalizer).from_bytes(
        sample, cp_isolation=wanted, preemptive_behaviour=False, enable_fallback=False
    )
    # Encodings that read the same text are folded into one match; each name counts.
    return list(found) + [_Named(name, match) for match in found for name in match.could_be_from_charset]


class _Named:
    """A match under another of its names."""

    def __init__(self, name: str, match: Any) -> None:
        self.encoding, self.chaos, self.coherence, self._text = name, match.chaos, match.coherence, str(match)

    def __str__(self) -> str:
        return self._text


def _share(wanted: re.Pattern[str], text: str) -> float:
    """Of the characters that are not ASCII."""
    foreign = _foreign(text)
    return len(wanted.findall(text)) / foreign if foreign else 0.0


def _foreign(text: str) -> int:
    """How many characters are not ASCII."""
    return len(text) - len(text.encode("ascii", errors="ignore"))


def _looks_western(sample: bytes) -> bool:
    """Letters with accents among plain ones in the same words, and the quotation marks of an office
    program.
    """
    if not _decodes(sample, _WESTERN):
        return False
    text = sample.decode(_WESTERN)
    if _behind_western(text) is not None:
        return False
    if _share(_WESTERN_SIGN, text) == 1:
        return True
    words = _WORD.findall(text)
    mixed = [word for word in words if not word.isascii() and _foreign(word) < len(word)]
    alone = [word for word in words if _foreign(word) == len(word)]
    plain = (
        all(len(word) == 1 for word in alone)
        and len(alone) <= len(mixed)
        and all(_foreign(word) <= len(word) / 2 for word in mixed)
    )
    return bool(mixed) and plain and _share(_WESTERN_LETTER, text) >= 0.97 and not _SIGN_IN_WORD.search(text)
