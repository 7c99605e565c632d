"""Texts use the words of the field, as Kubernetes, Docker, git and Copier do.

Each banned pattern has the plain word to use instead.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

PLAIN_WORDS = {
    r"whoever|whomever": "who, or name the role",
    r"(?<![`=])nobody(?<!^nobody)|nowhere": "no one; or name what is missing",
    r"anew": "again",
    r"mend(s|ed|ing)?": "fix",
    r"of (mine|ours|yours|theirs|its own|their own)": "its, their, own; or name the owner",
    r"(stand|stands|stood|lie|lies) (in|on|beside|here|there)": "is in, is on",
    r"told|tells? (it|them|him|us|you|which|whether|what|who|how|by)": "report, show, pass",
    r"said|say so": "output, message; or name the thing",
    r"aside": "staging; or separately",
    r"(?<!there )(is|are|was) no(?! longer\b)": "is not a",
    r"(is|are|was) (there already|already there)": "already exists",
    r"(what|that|which) (is|are|was|were) there": "existing",
    r"(is|are|was|were) gone": "no longer exists; was deleted",
    r"(is|are|was|were) away": "is unreachable",
    r"(is|are|was|were|be) well(?! formed)": "passes; is healthy",
    r"not reached|unreached": "unreachable",
    r"answer(s|ed)? for": "own",
    r"answer(s|ed)? something else": "returned an unexpected body",
    r"answers on|serves on": "keeps serving",
    r"(takes|took) too long": "timed out",
    r"by chance": "random",
    r"in silence": "silently; or: is ignored",
    r"in shape|out of shape": "formatted",
    r"(find|finds|found) faults": "check",
    r"fore(saw|see|seen|sees)": "unhandled exception",
    r"made a mistake": "internal error",
    r"nothing is at": "no route matches",
    r"there is no (such )?command": "unknown command",
    r"(goes|go|gone) along": "is propagated",
    r"carr(y|ies) on": "continue",
    r"complaints?|complains?": "reason",
    r"hurry|unlucky|patience|wholly|chatty|rehears\w*": "the field's term",
    r"dies|die|died": "exits, stops, fails",
    r"who asks": "the caller",
    r"looks after": "checks; manages",
    r"(laid|lays|lay) over": "merged over; overrides",
    r"wins over": "overrides",
    r"in the words of": "in the format of",
    r"at home": "locally",
    r"(may|can) know more": "may add members",
    r"two at once|both at once": "concurrent",
    r"(brings?|brought) \w+ database": "apply the migrations",
    r"(run|watch|ship) it$": "Run, Observability, Deploy",
    r"put(s|ting)? (it |them |\w+ )?back": "restore; undo",
}
DOCSTRING = r"(say|let|want|tell)s?"  # the first word of a docstring
PLAIN_VERB = "a verb such as Return, Read, Write, Check, Report"

AREAS = (
    *("template", "copier.yml", "src", "docs"),
    *("README.md", "CONTRIBUTING.md", "SECURITY.md"),
)

# Lock files contain names of packages.
LOCKS = {"go.sum", "package-lock.json", "requirements.txt", "requirements-dev.txt"}

_BANNED = {
    re.compile(rf"(?<!\w)(?:{pattern})(?!\w)", re.IGNORECASE | re.MULTILINE): plain
    for pattern, plain in PLAIN_WORDS.items()
}
_ANY = re.compile(rf"(?<!\w)(?:{'|'.join(PLAIN_WORDS)})(?!\w)", re.IGNORECASE | re.MULTILINE)
_FIRST_WORD = re.compile(rf"(?<!\w)(?:{DOCSTRING})(?!\w)", re.IGNORECASE)
# A comment of one line, or the first line of one, in the languages of the stacks.
_COMMENT = re.compile(r'^\s*(?:"""|/\*\*|//|#|--|\{\{/\*)\s*(?:[a-z]\w* )?(?P<text>.*)')


@dataclass(frozen=True)
class Text:
    """A piece of text with its place; `opens` if it begins a docstring or a comment."""

    path: Path
    line: int
    text: str
    opens: bool = False


def spaced(text: str) -> str:
    """Return a text with its identifiers split into words: `inAHurry` as `in A Hurry`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|_", " ", text)


def findings(texts: Iterator[Text]) -> list[str]:
    """Return one line for each banned word in the texts: place, word and what to use instead."""
    found = []
    for text in texts:
        words = spaced(text.text)
        if text.opens and (match := _FIRST_WORD.match(words.lstrip())):
            found.append(f"{text.path}:{text.line}: {match[0]!r}: use {PLAIN_VERB}")
        if not _ANY.search(words):
            continue  # the common case, at the price of one search
        for pattern, plain in _BANNED.items():
            for match in pattern.finditer(words):
                line = text.line + words.count("\n", 0, match.start())
                found.append(f"{text.path}:{line}: {match[0]!r}: use {plain}")
    return found


def lines(path: Path) -> Iterator[Text]:
    """Yield all lines of a file of prose, of a template or in any language."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        comment = _COMMENT.match(line)
        yield Text(path, number, line)
        if comment:
            yield Text(path, number, re.split(r"\W", comment["text"])[0], opens=True)


def python_texts(path: Path) -> Iterator[Text]:
    """Yield the string literals, docstrings and comments of a Python file, without its names."""
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield Text(path, node.lineno, node.value, opens=id(node) in docstrings)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield Text(path, token.start[0], token.string)


def texts(area: str) -> Iterator[Text]:
    """Yield the texts of a file or folder of the repository; none if it does not exist."""
    root = ROOT / area
    read: Callable[[Path], Iterator[Text]] = python_texts if area == "src" else lines
    pattern = "*.py" if area == "src" else "*"
    for path in [root] if root.is_file() else sorted(root.rglob(pattern)):
        if path.is_file() and path.name not in LOCKS and not path.match("*.pyc"):
            yield from read(path)


@pytest.mark.parametrize("area", AREAS)
def test_the_words_are_plain(area: str) -> None:
    assert any(text.text for text in texts(area))
    found = [line.replace(f"{ROOT}/", "") for line in findings(texts(area))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "Answered for by platform-team.",
        "catch (InterruptedException inAHurry) {",
        "func TestNobodyAsks(t *testing.T) {",
        "what is there already",
        "said = output",
        "    # Tells the reader",
        '    """Let the file be written."""',
        "// complaint tells why the service is not ready",
        "a mistake that nobody foresaw",
        "## Watch it",
        '"orders" is no name',
    ],
)
def test_a_banned_word_is_found(tmp_path: Path, text: str) -> None:
    path = tmp_path / "text"
    path.write_text(f"\n{text}\n", encoding="utf-8")
    found = findings(lines(path))
    assert found
    assert all(line.startswith(f"{path}:2: ") for line in found)


@pytest.mark.parametrize(
    "text",
    ["The branch no longer exists.", "It is no longer used.", "recommended", "a dead letter queue"],
)
def test_plain_words_pass(tmp_path: Path, text: str) -> None:
    path = tmp_path / "text"
    path.write_text(text, encoding="utf-8")
    assert findings(lines(path)) == []


def test_python_files_are_read_without_their_names(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    source = '''"""Say something."""

said = "whoever"  # told
text = """
anew"""
'''
    path.write_text(source, encoding="utf-8")
    found = [line.removeprefix(f"{path}:").partition(": use")[0] for line in findings(lines(path))]
    assert "3: 'said'" in found
    read = findings(python_texts(path))
    places = {line.removeprefix(f"{path}:").partition(": use")[0] for line in read}
    assert places == {"1: 'Say'", "3: 'whoever'", "3: 'told'", "5: 'anew'"}
