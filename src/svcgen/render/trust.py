"""Whether a template may run programs of its own: never without somebody having said so."""

from __future__ import annotations

from collections.abc import Callable

from svcgen.errors import SvcgenError
from svcgen.render.render import user_trusts, wants_trust
from svcgen.templates.base import Version

Allows = Callable[[str], bool]  # given what it would do, as a sentence


def never(_wish: str) -> bool:
    """Allow nothing: what stands in where nobody is asked."""
    return False


def may_merge(old: Version, new: Version, allows: Allows) -> bool:
    """Tell whether the programs of both versions of a template are to run as they are rendered.

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
    """Tell whether a template's own programs are to run; False when it has none.

    It is trusted when the user's Copier settings do (`trust:`), or when `allows` says so. Raises
    SvcgenError when it is not: rendered without its tasks or extensions it would be another one.
    """
    wanted = wants_trust(version)
    if not wanted:
        return False
    wish = f"{version.source} wants to run programs of its own ({', '.join(wanted)})"
    if user_trusts(version.source) or allows(wish):
        return True
    raise SvcgenError(
        f"{wish}, which can do all that you can.",
        f"Read them in {version.folder}/copier.yml; if you trust them, add --trust.",
    )
