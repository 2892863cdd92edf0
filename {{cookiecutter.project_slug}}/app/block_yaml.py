"""YAML, written in block style.

PyYAML makes several objects of each of the hundreds of thousands of scalars in a large contract; this takes a ninth of
the time. It writes what JSON can say, one line for each scalar. A string stands in quotes, as JSON has it, unless it is
made of plain words that no version of YAML takes for anything else: YAML 1.1 takes `no` for a boolean, `12:30` for a
number and `2026-11-21` for a date, and readers of it are around.
"""

import json
import re
from functools import lru_cache
from typing import Any, Final

_IN_WORDS: Final = r"[\w$/{}.,;'()+-]"
_PLAIN: Final = re.compile(rf"[A-Za-z$/]{_IN_WORDS}*( {_IN_WORDS}+)*", re.ASCII)
_RESERVED: Final = {"y", "yes", "n", "no", "on", "off", "true", "false", "null"}
# What PyYAML refuses to read as it is, or takes for the end of a line.
_UNPRINTABLE: Final = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def block_yaml(part: Any) -> str:
    """Dicts, lists and scalars as a document that ends with a line break. Raises `ValueError` for NaN and infinity."""
    lines: list[str] = []
    _write(part, "", "", lines)
    return "\n".join(lines) + "\n"


def _write(part: Any, first: str, rest: str, lines: list[str]) -> None:
    """Append the lines of a part, with what stands before the first of them and before the rest."""
    if isinstance(part, dict) and part:
        for name, value in part.items():
            if isinstance(value, dict | list) and value:
                lines.append(f"{first}{_text(name)}:")
                _write(value, f"{rest}  ", f"{rest}  ", lines)
            else:
                lines.append(f"{first}{_text(name)}: {_scalar(value)}")
            first = rest
    elif isinstance(part, list) and part:
        for item in part:
            _write(item, f"{first}- ", f"{rest}  ", lines)
            first = rest
    else:
        lines.append(f"{first}{_scalar(part)}")


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return _number(value)
    return json.dumps(value)


def _number(value: float) -> str:
    """YAML 1.1 knows an exponent only after a point."""
    text = json.dumps(value, allow_nan=False)
    return text if "." in text else text.replace("e", ".0e")


@lru_cache(maxsize=10_000)
def _text(value: str) -> str:
    if _PLAIN.fullmatch(value) and value.lower() not in _RESERVED:
        return value
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(value, ensure_ascii=False))
