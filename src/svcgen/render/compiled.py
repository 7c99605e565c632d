"""Jinja templates compiled once a process, not once a service: two thirds of a render's time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType
from typing import Any

_CODE: dict[tuple[Any, ...], CodeType] = {}
# What of an environment decides on the code of a template, beside its extensions.
_SETTINGS = (
    "block_start_string", "block_end_string", "variable_start_string", "variable_end_string",
    "comment_start_string", "comment_end_string", "line_statement_prefix", "line_comment_prefix",
    "trim_blocks", "lstrip_blocks", "newline_sequence", "keep_trailing_newline", "optimized",
    "autoescape", "sandboxed", "is_async",
)  # fmt: skip


@contextmanager
def compiled_once() -> Iterator[None]:
    """Let Jinja compile each text once; `SVCGEN_JINJA_CACHE=0` turns it off.

    Not for templates with extensions of their own, whose parsing may depend on anything.
    """
    from jinja2 import Environment

    if os.environ.get("SVCGEN_JINJA_CACHE") == "0":
        yield
        return
    compile_ = Environment.compile

    def cached(self: Any, source: Any, name: Any = None, filename: Any = None, **kept: Any) -> Any:
        if kept or not isinstance(source, str):
            return compile_(self, source, name, filename, **kept)
        # Called also where the code is known: Copier's own extension starts anew here.
        text = self.preprocess(source, name, filename)
        key = (text, name, filename, *self.extensions, *(getattr(self, one) for one in _SETTINGS))
        if key not in _CODE:
            _CODE[key] = compile_(self, source, name, filename)
        return _CODE[key]

    Environment.compile = cached  # type: ignore[method-assign, assignment] # for the renders within
    try:
        yield
    finally:
        Environment.compile = compile_  # type: ignore[method-assign]
