"""Which passwords are taken: long enough, not made of nothing, and not among those that are tried first (NIST
SP 800-63B 5.1.1.2).
"""

import unicodedata

from pydantic_core import PydanticCustomError

PASSWORD_CHARS_MIN = 8
PASSWORD_CHARS_MAX = 256
_DISTINCT_MIN = 3

# The words of lists of leaked passwords that have eight characters or more. Digits and signs at either end do
# not hide one.
_COMMON_TEXT = """
abcd1234 abcdefgh access14 administrator baseball basketball batman123 bismillah blink182 bubbles1 butterfly
changeme changeit charlie1 chocolate computer corvette cowboys1 default1 dragonball einstein facebook
firebird football forever1 franklin garfield godzilla hardcore hello123 helloworld hellokitty iloveyou
internet iwantyou jennifer jonathan jordan23 letmein1 letmein123 liverpool login123 lovelove manchester
marlboro maverick mercedes metallica michael1 microsoft midnight mountain mustang1
mypassword nicholas passw0rd p@ssw0rd p@ssword pass1234 passpass passport password password1 passwort
patricia pokemon1 princess qazwsxedc qwertyui qwertyuiop qwerty123 qwer1234 q1w2e3r4 q1w2e3r4t5 1q2w3e4r
1q2w3e4r5t 1qaz2wsx zaq12wsx samantha secret123 security slipknot snickers spiderman srinivas starwars
steelers sunshine superman swordfish testtest test1234 thomas123 trustno1 undertaker victoria welcome1
welcome123 whatever wordpress xbox360 asdfghjk asdfghjkl asdf1234 zxcvbnm1 zxcvbnma aa123456
atrium123 atriumatrium adminadmin admin123 admin1234 guest123 root1234 user1234 temp1234 company1 office365
summer2024 winter2024
"""
_COMMON = frozenset(_COMMON_TEXT.split())
_SEQUENCES = (
    "01234567890123456789",
    "98765432109876543210",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
)
_AFFIXES = "0123456789!?.,_-#$*@+ "


def normalised(password: str) -> str:
    """One spelling for what looks the same: keyboards and systems write é in two ways (NFC)."""
    return unicodedata.normalize("NFC", password)


def accepted(password: str, *, own_words: tuple[str, ...] = ()) -> str:
    """The password as it is stored. `own_words`: the person's name and address, which anybody knows.

    Raises: PydanticCustomError, a ValueError with a code of its own, which says what to do about it.
    """
    password = normalised(password)
    if len(password) < PASSWORD_CHARS_MIN:
        raise PydanticCustomError(
            "password_too_short",
            "choose a password of at least {chars_min} characters",
            {"chars_min": PASSWORD_CHARS_MIN},
        )
    if len(set(password.replace(" ", ""))) < _DISTINCT_MIN:
        raise PydanticCustomError(
            "password_repeats", "this password consists of hardly anything; choose another"
        )
    folded = password.casefold()
    if (
        folded in _COMMON
        or folded.strip(_AFFIXES) in _COMMON
        or any(folded in sequence for sequence in _SEQUENCES)
    ):
        raise PydanticCustomError(
            "password_common",
            "this password is among the first that are tried; choose another, such as four words that do "
            "not belong together",
        )
    if any(folded == word.casefold() for word in own_words if word):
        raise PydanticCustomError(
            "password_is_own_name", "your name or address is no password; choose another"
        )
    return password
