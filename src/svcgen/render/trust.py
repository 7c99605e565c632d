"""Whether a template may run its own programs: only when the user allows it."""

from __future__ import annotations

from collections.abc import Callable

from svcgen.errors import SvcgenError
from svcgen.render.migrations import migrations_due
from svcgen.render.render import wants_trust
from svcgen.templates.base import Version

Allows = Callable[[str], bool]  # given what it would do, as a sentence


def never(_wish: str) -> bool:
    """Allow nothing: the default without a terminal."""
    return False


def may_merge(old: Version, new: Version, allows: Allows) -> bool:
    """Return whether to run the programs of both versions of a template, and due migrations.

    Raises SvcgenError when they are not trusted.
    """
    migrations = ("migrations",) if migrations_due(old, new) else ()
    trusted = [may_run(old, allows), may_run(new, allows, migrations)]
    return any(trusted)


def may_run(version: Version, allows: Allows, also: tuple[str, ...] = ()) -> bool:
    """Return whether to run a template's own programs; False when it has none.

    `also` are programs beside those of a render. The template is trusted by the user's Copier
    settings (`trust:`), or by `allows`. Raises SvcgenError when it is not: a render without its
    tasks or extensions would be wrong.
    """
    wanted = (*wants_trust(version), *also)
    if not wanted:
        return False
    from svcgen.render.worker import user_trusts

    wish = f"{version.source} wants to run its own programs ({', '.join(wanted)})"
    if user_trusts(version.source) or allows(wish):
        return True
    raise SvcgenError(
        f"{wish}, which can do all that you can.",
        f"Read them in {version.folder}/copier.yml; if you trust them, add --trust.",
    )
