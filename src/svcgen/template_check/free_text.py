"""The rule for free text: any answer stays the text that it is."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from svcgen.template_check.fault import RenderedService, TemplateFault
from svcgen.template_check.output_rules import parse

_WHEN = "when an answer has quotes, braces and 👋: write {{ … | to_json(ensure_ascii=false) }}"

Texts = Mapping[str, str]  # sample answer -> the hostile answer that replaces it


def text_stays(
    sampled: RenderedService, hostile: RenderedService, texts: Texts
) -> Iterator[TemplateFault]:
    """Find data and Python in which the hostile text does not replace the sample exactly.

    Other files are only checked by the rules for all files: a comment in a shell script may have
    any text.
    """
    for name, path in sampled.files.items():
        if path.is_symlink() or (before := _data(name, path.read_bytes())) is None:
            continue
        after = hostile.files.get(name)
        if after is None:
            problem = f"is not written {_WHEN}"
        else:
            problem = _difference(name, before, after.read_bytes(), texts)
        if problem:
            yield TemplateFault(sampled.source(name), "free-text", problem)


def _difference(name: str, before: Any, after: bytes, texts: Texts) -> str:
    try:
        read = parse(name, after.decode("utf-8"))
    except ValueError as error:
        return f"cannot be read {_WHEN}: {error}"
    if not _same(_plain(before), _plain(read), texts):
        return f"means something else {_WHEN}"
    return ""


def _data(name: str, content: bytes) -> Any:
    try:
        return parse(name, content.decode("utf-8"))
    except ValueError:  # another rule reports it
        return None


def _plain(data: Any) -> Any:
    """Return Python's syntax tree as lists and maps; data stays as it is."""
    if isinstance(data, ast.AST):
        return {type(data).__name__: {name: _plain(part) for name, part in ast.iter_fields(data)}}
    if isinstance(data, list):
        return [_plain(item) for item in data]
    return data


def _same(before: Any, after: Any, texts: Texts) -> bool:
    """Compare data after replacing samples; a text that a filter changed may differ."""
    if isinstance(before, str) and isinstance(after, str):
        return after == _replaced(before, texts) or not any(text in before for text in texts)
    if isinstance(before, dict) and isinstance(after, dict):
        pairs = {_replaced(str(key), texts): value for key, value in before.items()}
        others = {str(key): value for key, value in after.items()}
        return pairs.keys() == others.keys() and all(
            _same(value, others[key], texts) for key, value in pairs.items()
        )
    if isinstance(before, list) and isinstance(after, list):
        pairwise = zip(before, after, strict=False)
        return len(before) == len(after) and all(_same(a, b, texts) for a, b in pairwise)
    return type(before) is type(after) and bool(before == after or before is after)


def _replaced(text: str, texts: Texts) -> str:
    for sample, hostile in texts.items():
        text = text.replace(sample, hostile)
    return text
