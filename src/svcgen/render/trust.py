"""Whether a template may run its own programs: only when the user allows it."""

from __future__ import annotations

from collections.abc import Callable

from svcgen.errors import SvcgenError
from svcgen.render.render import user_trusts, wants_trust
from svcgen.templates.base import Version

Allows = Callable[[str], bool]  # given what it would do, as a sentence


def never(_wish: str) -> bool:
    """Allow nothing: the default without a terminal."""
    return False


def may_merge(old: Version, new: Version, allows: Allows) -> bool:
    """Return whether to run the programs of both versions of a template while rendering.

    Raises SvcgenError when they are not trusted, and for migrations, which only Copier can run.
    """
    if "migrations" in wants_trust(new):
        raise SvcgenError(
            f"{new.source} {new.name} has migrations, which only Copier runs.",
            "Type in the service's folder: copier update --trust",
        )
    trusted = [may_run(version, allows) for version in dict.fromkeys((old, new))]
    return any(trusted)


def may_run(version: Version, allows: Allows) -> bool:
    """Return whether to run a template's own programs; False when it has none.

    The template is trusted by the user's Copier settings (`trust:`), or by `allows`. Raises
    SvcgenError when it is not: a render without its tasks or extensions would be wrong.
    """
    wanted = wants_trust(version)
    if not wanted:
        return False
    wish = f"{version.source} wants to run its own programs ({', '.join(wanted)})"
    if user_trusts(version.source) or allows(wish):
        return True
    raise SvcgenError(
        f"{wish}, which can do all that you can.",
        f"Read them in {version.folder}/copier.yml; if you trust them, add --trust.",
    )
