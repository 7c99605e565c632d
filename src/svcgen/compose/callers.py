"""`chart/callers.yaml` of a called service: who calls it, for the NetworkPolicy of its chart.

The file is generated from `calls` of the callers. A caller that this workspace does not have stays
in it: its repository may not be checked out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.service import CALLERS_FILE, Service, is_name
from svcgen.yaml_files import as_yaml, read_yaml

HEADER = "# Written by `svcgen compose`: services that call this one, for its NetworkPolicy.\n"


def read_callers(folder: Path) -> tuple[str, ...] | None:
    """Return the callers that the file of a service names; None without the file.

    Raises SvcgenError when it is not a list of service names.
    """
    path = folder / CALLERS_FILE
    if not path.exists():
        return None
    content = read_yaml(path)
    names = content.get("callers", []) if isinstance(content, dict) else None
    if not isinstance(names, list) or set(content) - {"callers"} or not all(map(is_name, names)):
        raise SvcgenError(
            f"{path} is not a list of service names, such as `callers: [catalog]`.",
            "Delete the file; `svcgen compose` writes it again.",
        )
    return tuple(names)


def current_callers(
    found: Sequence[str] | None, callers: Iterable[str], known: Iterable[str]
) -> str | None:
    """Return the text that a callers file should have; None when what it names is current.

    `found` is what it names now, `callers` are the services that call this one, out of the `known`
    ones of the workspace.
    """
    expected = {*callers, *set(found or ()).difference(known)}
    if expected == set(found or ()):
        return None
    return HEADER + as_yaml({"callers": sorted(expected)})


def callers_with(name: str, calls: Sequence[str], services: Iterable[Service]) -> dict[Path, str]:
    """Return the new text of the callers file of each service that a new service calls.

    Raises SvcgenError for a file that is not a list of service names.
    """
    texts = {}
    for callee in services:
        if callee.name in calls:
            found = read_callers(callee.folder) or ()
            if text := current_callers(found, {*found, name}, ()):
                texts[callee.folder / CALLERS_FILE] = text
    return texts
