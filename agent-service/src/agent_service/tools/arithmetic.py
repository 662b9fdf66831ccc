"""Arithmetic a person or a model writes down, worked out without ever running it as code."""

import ast
import math
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

EXPRESSION_CHARS_MAX = 500
DEPTH_MAX = 250
BITS_MAX = 20_000  # about 6,000 digits
DIGITS_SHOWN_MAX = 400

Number = int | float | Fraction


class Uncomputable(Exception):
    """The expression has no value here; the text says why and what to write instead."""


_SPELLINGS: Mapping[str, str] = {
    "×": "*", "·": "*", "∙": "*", "⋅": "*", "÷": "/", "∕": "/", "−": "-", "\u2013": "-", "^": "**", "π": "pi",
    "²": "**2", "³": "**3", "\u00a0": " ", "\u202f": " ", "\u2009": " ",
}  # fmt: skip
_THOUSANDS = re.compile(r"(?<![\w.,])\d{1,3}(?:,\d{3})+(?![\w,])")
_SPACED_THOUSANDS = re.compile(r"(?<![\w.,] )(?<![\w.,])\d{1,3}(?: \d{3})+(?![\w,.]| \d)")
_LETTER_X = re.compile(r"(?<![^\w.]0)(?<!^0)(?<=[\d)])\s*[xX]\s*(?=[\d(.+-]|pi\b|e\b|[a-z]+\()")
_PERCENT_ADDED = re.compile(r"[+-]\s*\d+(?:\.\d+)?%(?=\s*(?:$|[)+,-]))")
_PERCENT_AT_END = re.compile(r"(\d+(?:\.\d+)?)%(?=\s*(?:$|[)*/+,-]))")
_PERCENT_OF = re.compile(r"(\d+(?:\.\d+)?)\s*%\s+of\b")
_EQUALS_AT_END = re.compile(r"\s*=\s*\??\s*$")
_CALL = re.compile(r"([A-Za-z_]\w*)\s*\(")

_BINARY: Mapping[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
}  # fmt: skip


def evaluate(expression: str) -> int | float:
    """The value of `expression`; whole numbers are exact. Raises: Uncomputable."""
    if len(expression) > EXPRESSION_CHARS_MAX:
        raise Uncomputable(
            f"the expression is longer than {EXPRESSION_CHARS_MAX} characters; work it out in parts"
        )
    try:
        tree = ast.parse(normalise(expression), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise Uncomputable(
            "this is not an arithmetic expression; write for example (2 + 3) * 4 or sqrt(16)"
        ) from None
    try:
        return _finished(_value(tree.body, 0))
    except ZeroDivisionError:
        raise Uncomputable("this divides by zero") from None
    except OverflowError:
        raise Uncomputable("the result is too large") from None
    except (ValueError, TypeError):
        raise Uncomputable("a function was given a number it is not defined for") from None


def normalise(expression: str) -> str:
    """The same in Python's spelling: people write 37 x 91, 2^10, 1,000,000 and 15% of 80."""
    text = expression.strip()
    for written, meant in _SPELLINGS.items():
        text = text.replace(written, meant)
    text = _EQUALS_AT_END.sub("", text)
    if not _CALL.search(text):  # inside a call a comma parts its arguments: max(1,234) has two
        text = _THOUSANDS.sub(lambda found: found.group().replace(",", ""), text)
    text = _SPACED_THOUSANDS.sub(lambda found: found.group().replace(" ", ""), text)
    text = _PERCENT_OF.sub(r"(\1/100) *", text)
    if _PERCENT_ADDED.search(text):
        raise Uncomputable(
            "adding a percentage can be read in two ways; write 200 * 1.10 for 10% more or 200 * 0.90 for "
            "10% less"
        )
    text = _PERCENT_AT_END.sub(r"(\1/100)", text)
    return _LETTER_X.sub(" * ", text)


def _value(node: ast.expr, depth: int) -> Number:
    if depth > DEPTH_MAX:
        raise Uncomputable(f"the expression is nested deeper than {DEPTH_MAX}; work it out in parts")
    if isinstance(node, ast.Constant):
        return _constant(node.value)
    if isinstance(node, ast.Name):
        if node.id.lower() not in _NAMED:
            raise Uncomputable(f"{node.id[:40]} is not known; the names are {', '.join(sorted(_NAMED))}")
        return _NAMED[node.id.lower()]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd | ast.USub):
        value = _value(node.operand, depth + 1)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return _bounded(
            _binary(_BINARY[type(node.op)], _value(node.left, depth + 1), _value(node.right, depth + 1))
        )
    if isinstance(node, ast.Call):
        return _call(node, depth)
    raise Uncomputable(
        "only numbers, + - * / // % **, parentheses and functions such as sqrt(16) can be worked out"
    )


def _constant(value: object) -> Number:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Uncomputable("only numbers can be worked out")
    # The decimals people write are exact: 0.1 + 0.2 is 0.3.
    return _bounded(Fraction(repr(value)) if isinstance(value, float) and math.isfinite(value) else value)


def _binary(operator: str, left: Number, right: Number) -> Number:
    if isinstance(left, float) or isinstance(right, float):
        left, right = float(left), float(right)
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return (
                Fraction(left) / Fraction(right)
                if not isinstance(left, float) and not isinstance(right, float)
                else left / right
            )
        case "//":
            return left // right
        case "%":
            return left % right
        case _:
            return _power(left, right)


def _power(base: Number, exponent: Number) -> Number:
    """`base ** exponent`, exact for whole exponents; refused before it grows beyond BITS_MAX."""
    if isinstance(base, float) or isinstance(exponent, float) or Fraction(exponent).denominator != 1:
        return math.pow(base, exponent)
    whole, exact = int(exponent), Fraction(base)
    if whole < 0 and exact == 0:
        raise ZeroDivisionError
    bits = max(exact.numerator.bit_length() - 1, exact.denominator.bit_length() - 1)
    if bits * abs(whole) > BITS_MAX or abs(whole) > BITS_MAX:
        if abs(exact) in {0, 1}:
            return exact ** (whole % 2 if exact == -1 else min(whole, 1))
        raise Uncomputable("the power is too large to work out: its result would have thousands of digits")
    return exact**whole


def _bounded(value: Number) -> Number:
    if isinstance(value, float):
        if math.isnan(value) or math.isinf(value):
            raise OverflowError
        return value
    exact = Fraction(value)
    if max(exact.numerator.bit_length(), exact.denominator.bit_length()) > BITS_MAX + 64:
        raise Uncomputable("a number is too large to work out: it would have thousands of digits")
    return exact


def _finished(value: Number) -> int | float:
    if isinstance(value, float):
        return value
    if value.denominator == 1:
        return value.numerator
    nearest = value.numerator / value.denominator
    if nearest == 0:
        raise Uncomputable("the result is too close to 0 to be written down")
    return nearest


def _call(node: ast.Call, depth: int) -> Number:
    name = node.func.id.lower() if isinstance(node.func, ast.Name) else ""
    if name not in _FUNCTIONS:
        raise Uncomputable(f"that function is not known; the functions are {', '.join(sorted(_FUNCTIONS))}")
    if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
        raise Uncomputable(f"{name} takes plain numbers only")
    function, least, most = _FUNCTIONS[name]
    if not least <= len(node.args) <= most:
        raise Uncomputable(f"{name} takes {least if least == most else f'{least} to {most}'} numbers")
    return _bounded(function(*(_value(argument, depth + 1) for argument in node.args)))


def _square_root(value: Number) -> Number:
    """Exact for squares of whole numbers and fractions, however large."""
    if not isinstance(value, float) and value >= 0:
        exact = Fraction(value)
        top, bottom = math.isqrt(exact.numerator), math.isqrt(exact.denominator)
        if top * top == exact.numerator and bottom * bottom == exact.denominator:
            return Fraction(top, bottom)
    return math.sqrt(value)


def _least(*values: Number) -> Number:
    return min(values)


def _greatest(*values: Number) -> Number:
    return max(values)


def _sum(*values: Number) -> Number:
    if any(isinstance(value, float) for value in values):
        return math.fsum(values)
    return sum((Fraction(value) for value in values), Fraction())


def _raised(base: Number, exponent: Number) -> Number:
    return _binary("**", base, exponent)


def _round(value: Number, digits: Number = 0) -> Number:
    if Fraction(digits).denominator != 1 or abs(digits) > 30:
        raise Uncomputable("round takes a whole number of digits, 30 at most")
    # Half goes away from zero, as people are taught; Python's own round goes to the even neighbour.
    scale = Fraction(10) ** int(digits)
    scaled = abs(Fraction(value)) * scale
    whole = math.floor(scaled + Fraction(1, 2))
    return (Fraction(whole) / scale) * (-1 if value < 0 else 1)


def _factorial(value: Number) -> Number:
    exact = Fraction(value)
    if exact.denominator != 1 or not 0 <= exact <= 1_000:
        raise Uncomputable("factorial takes a whole number from 0 to 1000")
    return math.factorial(int(exact))


def _whole(function: Callable[..., int]) -> Callable[..., Number]:
    def call(*values: Number) -> Number:
        if any(Fraction(value).denominator != 1 for value in values):
            raise Uncomputable("this function takes whole numbers")
        return function(*(int(value) for value in values))

    return call


def _logarithm(value: Number, base: Number | None = None) -> Number:
    if value <= 0 or (base is not None and (base <= 0 or base == 1)):
        raise Uncomputable("a logarithm is defined for numbers above 0, and its base is above 0 and not 1")
    exact = Fraction(value)
    # Not log(float): whole numbers beyond 1e308 have a logarithm too.
    natural = math.log(exact.numerator) - math.log(exact.denominator)
    return natural if base is None else _tidy(natural / math.log(base))


def _logarithm_2(value: Number) -> Number:
    return _logarithm(value, 2)


def _logarithm_10(value: Number) -> Number:
    return _logarithm(value, 10)


def _tidy(value: float) -> Number:
    """Logarithms of whole powers are whole: log10(1000) is 3, not 2.9999999999999996."""
    return round(value) if abs(value - round(value)) < 1e-12 else value


_NAMED: Mapping[str, float] = {"pi": math.pi, "e": math.e, "tau": math.tau}
_FUNCTIONS: Mapping[str, tuple[Callable[..., Any], int, int]] = {
    "sqrt": (_square_root, 1, 1),
    "abs": (abs, 1, 1),
    "round": (_round, 1, 2),
    "floor": (math.floor, 1, 1),
    "ceil": (math.ceil, 1, 1),
    "min": (_least, 1, 50),
    "max": (_greatest, 1, 50),
    "sum": (_sum, 1, 50),
    "pow": (_raised, 2, 2),
    "exp": (math.exp, 1, 1),
    "ln": (_logarithm, 1, 1),
    "log": (_logarithm, 1, 2),
    "log2": (_logarithm_2, 1, 1),
    "log10": (_logarithm_10, 1, 1),
    "sin": (math.sin, 1, 1),
    "cos": (math.cos, 1, 1),
    "tan": (math.tan, 1, 1),
    "asin": (math.asin, 1, 1),
    "acos": (math.acos, 1, 1),
    "atan": (math.atan, 1, 1),
    "atan2": (math.atan2, 2, 2),
    "degrees": (math.degrees, 1, 1),
    "radians": (math.radians, 1, 1),
    "factorial": (_factorial, 1, 1),
    "gcd": (_whole(math.gcd), 1, 10),
}


def write_number(value: int | float) -> str:
    """The number as text: whole numbers in full up to DIGITS_SHOWN_MAX digits, others with at most 15
    significant ones.
    """
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"
    digits = math.floor(abs(value).bit_length() * math.log10(2)) + 1
    if digits <= DIGITS_SHOWN_MAX:
        return str(value)
    # Python refuses to write out integers of more than 4,300 digits; the leading 15 say enough.
    leading = str(abs(value) // 10 ** (digits - 20))
    exponent = digits - 20 + len(leading) - 1
    return f"about {'-' if value < 0 else ''}{leading[0]}.{leading[1:15]}e+{exponent}"
