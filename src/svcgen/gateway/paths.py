"""Which paths a route may have, and how the gateway normalizes the path of a request."""

from __future__ import annotations

import re
from urllib.parse import unquote

# RFC 3986, section 3.3: pchar without percent-encoding. With two spellings of one path, a request
# could bypass a route that should match it, so a registration has one spelling only.
SEGMENT_CHARACTERS = r"A-Za-z0-9\-._~!$&'()*+,;=:@"
PATH_PATTERN = rf"^/[{SEGMENT_CHARACTERS}/]*$"

RESERVED = ("/readyz", "/openapi.json", "/docs")

_UNRESERVED = re.compile(r"%(?:2[dDeE]|3[0-9]|4[1-9a-fA-F]|5[0-9aAfF]|6[1-9a-fA-F]|7[0-9aAeE])")
_ESCAPED_SLASH = re.compile(r"%(?:2[fF]|5[cC]|00)")


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
    if any(segment in (".", "..") for segment in path.split("/")):
        return 'must not hold the segments "." and ".."'
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
    """Return the path that routes are compared with, as the hardened listener makes it.

    Query and fragment go, unreserved characters are decoded, dot segments are resolved and
    slashes merged (Envoy's `normalize_path` and `merge_slashes`); empty when the gateway refuses
    the path with 400 (an escaped slash, backslash or NUL).
    """
    path = re.split(r"[?#]", target, maxsplit=1)[0]
    if _ESCAPED_SLASH.search(path):
        return ""
    path = _UNRESERVED.sub(lambda found: unquote(found[0]), path).replace("\\", "/")
    return re.sub(r"/{2,}", "/", _without_dots(path))


def _without_dots(path: str) -> str:
    """Resolve dot segments; RFC 3986, section 5.2.4."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            kept = kept[:-1]
        elif segment != ".":
            kept.append(segment)
    if segments and segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)
