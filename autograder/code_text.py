"""Code that somebody else wrote, as HTML to read: coloured when the page is made, and nothing in it acts."""

from __future__ import annotations

import functools
import unicodedata

from markupsafe import Markup, escape
from pygments.lexers.python import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String, _TokenType

MAX_CHARACTERS = 20_000
_LOOKS: tuple[tuple[_TokenType, str], ...] = (
    (Keyword, "key"),
    (Operator.Word, "key"),
    (Comment, "com"),
    (String, "str"),
    (Number, "num"),
    (Name.Function, "def"),
    (Name.Class, "def"),
)
_LEXER = PythonLexer(stripnl=False, ensurenl=False)


def plain(source: str) -> str:
    """Code with line ends of one kind, without empty lines around it, cut where it has no end.

    Characters that are not seen, or that turn the direction of what is read, stand there as their codes: code must
    not look like other code.
    """
    text = source.replace("\r\n", "\n").replace("\r", "\n")
    cut = len(text) > MAX_CHARACTERS
    text = "".join(_seen(each) for each in text[:MAX_CHARACTERS]).strip("\n")
    lines = [line.rstrip() for line in text.split("\n")]
    return "\n".join([*lines, f"# (cut after {MAX_CHARACTERS:,} characters)"] if cut else lines)


def highlighted(source: str) -> Markup:
    """Python code as escaped HTML with a class for each kind of word; see templates/code.css."""
    return Markup("\n").join(coloured_lines(plain(source)))


def coloured_lines(text: str) -> list[Markup]:
    """The same line by line, of code that is plain already; what goes over several lines is closed in each."""
    lines: list[list[str]] = [[]]
    for kind, word in _LEXER.get_tokens(text):
        look = _look(kind)
        for number, piece in enumerate(word.split("\n")):
            if number:
                lines.append([])
            if piece:
                lines[-1].append(f'<span class="{look}">{escape(piece)}</span>' if look else str(escape(piece)))
    return [Markup("".join(parts)) for parts in lines]  # noqa: S704 - every piece is escaped


@functools.cache
def _look(kind: _TokenType) -> str:
    return next((name for token, name in _LOOKS if kind in token), "")


def _seen(character: str) -> str:
    if character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp"):
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
