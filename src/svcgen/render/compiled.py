"""Compile Jinja templates once a process, not once a service: two thirds of a render's time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType
from typing import Any

_CODE: dict[tuple[Any, ...], CodeType] = {}
# The settings of an environment that change the code of a template, besides its extensions.
_SETTINGS = (
    "block_start_string", "block_end_string", "variable_start_string", "variable_end_string",
    "comment_start_string", "comment_end_string", "line_statement_prefix", "line_comment_prefix",
    "trim_blocks", "lstrip_blocks", "newline_sequence", "keep_trailing_newline", "optimized",
    "autoescape", "sandboxed", "is_async",
)  # fmt: skip


@contextmanager
def compiled_once() -> Iterator[None]:
    """Cache what Jinja compiles from each text; `SVCGEN_JINJA_CACHE=0` turns the cache off.

    Do not use it for templates with their own extensions: their parsing can depend on anything.
    """
    from jinja2 import Environment

    if os.environ.get("SVCGEN_JINJA_CACHE") == "0":
        yield
        return
    compile_ = Environment.compile

    def cached(self: Any, source: Any, name: Any = None, filename: Any = None, **rest: Any) -> Any:
        if rest or not isinstance(source, str):
            return compile_(self, source, name, filename, **rest)
        # Also with a cached result: Copier's own extension resets its state here.
        text = self.preprocess(source, name, filename)
        key = (text, name, filename, *self.extensions, *(getattr(self, name) for name in _SETTINGS))
        if key not in _CODE:
            _CODE[key] = compile_(self, source, name, filename)
        return _CODE[key]

    Environment.compile = cached  # type: ignore[method-assign, assignment] # for the renders within
    try:
        yield
    finally:
        Environment.compile = compile_  # type: ignore[method-assign]
