"""Which paths a route may have, and how the gateway normalizes the path of a request."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote

# RFC 3986, section 3.3: pchar without percent-encoding. With two spellings of one path, a request
# could bypass a route that should match it, so a registration has one spelling only.
SEGMENT_CHARACTERS = r"A-Za-z0-9\-._~!$&'()*+,;=:@"
PATH_PATTERN = rf"^/[{SEGMENT_CHARACTERS}/]*$"

RESERVED = ("/readyz", "/openapi.json", "/docs")

_UNRESERVED = re.compile(r"%(?:2[dDeE]|3[0-9]|4[1-9a-fA-F]|5[0-9aAfF]|6[1-9a-fA-F]|7[0-9aAeE])")
_ESCAPED_SLASH = re.compile(r"%(?:2[fF]|5[cC]|00)")
_ESCAPED_DOT = re.compile(r"%2[eE]")
_ABSOLUTE = re.compile(r"^https?://[^/?#]+", re.IGNORECASE)  # RFC 9112, section 3.2.2
# RFC 9112, section 3.2: a request-target has visible ASCII characters, and no fragment.
_NOT_IN_TARGET = re.compile(r"[^\x21-\x7e]|#")
# Envoy escapes these; a registration cannot have them.
_TO_ESCAPE = re.compile(r'["<>^`{|}]')

_MALFORMED = r"%(?:[^0-9A-Fa-f]|[0-9A-Fa-f](?:[^0-9A-Fa-f]|$)|$)"
_ESCAPED_TWICE = r"%25[0-9A-Fa-f]{2}"
_DOT_PARAMETER = r"/\.\.?(?:;|%3[Bb])"
REFUSED_PATH = f".*(?:{_MALFORMED}|{_ESCAPED_TWICE}|{_DOT_PARAMETER}).*"
"""A normal path that gets 400, for RE2 and Python: some servers would read another path from it.

It has an invalid escape (RFC 3986, section 2.1), one that becomes an escape when decoded, or a dot
segment with a parameter (`..;x`), which Tomcat reads as `..` (CVE-2026-73551).
"""


def path_problem(path: str, *, prefix: bool) -> str:
    """Return why a route may not have this path; empty when it may.

    A prefix matches whole segments, so a slash at its end would mean nothing.
    """
    if not path.startswith("/"):
        return 'must start with "/", for example /v1/orders'
    if "//" in path:
        return 'must not hold "//": the gateway merges slashes before it looks for a route'
    if not re.fullmatch(PATH_PATTERN, path):
        return "may hold letters, digits and -._~!$&'()*+,;=:@ between slashes (RFC 3986)"
    if any(segment.partition(";")[0] in (".", "..") for segment in path.split("/")):
        return 'must not hold the segments "." and "..", also with a parameter: they never match'
    if prefix and path != "/" and path.endswith("/"):
        return f"must not end with a slash: {path.rstrip('/')} covers everything below it"
    return ""


def reserved_problem(path: str) -> str:
    """Return why the path is reserved for the gateway; empty when services may have it."""
    if path == "/":
        return 'the path "/" is the gateway\'s own'
    for own in RESERVED:
        if covers(own, path):
            return f'the path "{own}" and all below it are the gateway\'s own'
    return ""


def covers(prefix: str, path: str) -> bool:
    """Report whether a prefix of whole segments covers a path: /a covers /a and /a/b, not /ab."""
    return prefix in ("/", path) or path.startswith(prefix + "/")


def parents(path: str) -> list[str]:
    """Return the shorter prefixes that cover a path, longest first: /a/b/c has /a/b, /a and /."""
    segments = path.split("/")
    return ["/".join(segments[:end]) or "/" for end in range(len(segments) - 1, 0, -1)]


def normal_path(target: str) -> str:
    """Return the path that routes are compared with, and that the service gets.

    As the hardened listener makes it (Envoy's `normalize_path` and `merge_slashes`): query and
    origin are cut off, dot segments resolved, unreserved characters decoded, slashes merged.
    Raises ValueError with the reason when the gateway refuses the path with 400.
    """
    if found := _NOT_IN_TARGET.search(target):
        raise ValueError(f"a request cannot contain the character {found[0]!r}")
    path = (_ABSOLUTE.sub("", target) or "/").partition("?")[0]
    if not path.startswith("/"):
        raise ValueError('a path starts with "/"')
    if found := _ESCAPED_SLASH.search(path):
        raise ValueError(f"the gateway refuses the escaped slash, backslash or NUL {found[0]}")
    segments = _without_dots(path.replace("\\", "/").split("/")[1:])
    if any(re.search(_MALFORMED, segment) for segment in segments):
        raise ValueError('"%" must be followed by two hexadecimal digits')
    normal = "/" + "/".join(map(_normal_segment, segments))
    if re.fullmatch(REFUSED_PATH, normal):
        raise ValueError('some servers read another path: escaped twice, or a segment like "..;x"')
    # Envoy leaves a path of slashes alone as it merges the others.
    return re.sub(r"/{2,}", "/", normal) if normal.strip("/") else normal[:2]


def _normal_segment(segment: str) -> str:
    decoded = _UNRESERVED.sub(lambda found: unquote(found[0]), segment)
    return _TO_ESCAPE.sub(lambda found: f"%{ord(found[0]):02X}", decoded)


def _without_dots(segments: Sequence[str]) -> list[str]:
    """Resolve dot segments; RFC 3986, section 5.2.4."""
    kept: list[str] = []
    plain = [_ESCAPED_DOT.sub(".", segment) for segment in segments]
    for segment, shown in zip(segments, plain, strict=True):
        if shown == "..":
            kept = kept[:-1]
        elif shown != ".":
            kept.append(segment)
    if plain[-1] in (".", ".."):
        kept.append("")
    return kept
