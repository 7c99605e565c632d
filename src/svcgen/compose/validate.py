"""Refusing a configuration of the gateway that Envoy itself does not accept.

Nothing was written yet. The service is found by asking about half of them, again and again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from svcgen.compose.fleet import Fault, FaultsError, Fleet
from svcgen.errors import SvcgenError
from svcgen.gateway.envoy.files import static_twin
from svcgen.service import REGISTRATION_FILE
from svcgen.settings import SETTINGS_FILE

NO_SERVICE = ("",)

Validate = Callable[[str], str]
"""Called with a configuration in one file; returns why Envoy refuses it, else the empty text."""


def refuse_invalid(files: Mapping[str, str], fleet: Fleet, validate: Validate | None) -> None:
    """Raise FaultsError that names service, file and key when Envoy refuses the gateway's files.

    `files` are those of edge_files. Without `validate` this does nothing. Raises SvcgenError when
    the cause is not a service.
    """
    if validate is None or not (reason := validate(static_twin(files))):
        return
    if fleet.issuers and (refused := validate(static_twin(files, NO_SERVICE))):
        problem = f"gateway.issuers: Envoy refuses what they need: {refused}."
        raise FaultsError([Fault((SETTINGS_FILE,), problem)])
    names = [cluster["name"] for cluster in json.loads(files["cds.json"])["resources"]]
    service, reason = _first_refused(files, names, validate) or ("", reason)
    for member in fleet.members:
        if member.name == service:
            overlay = (SETTINGS_FILE,) if service in fleet.settings.services else ()
            problem = f"Envoy refuses the gateway's configuration for {service}: {reason}."
            raise FaultsError([Fault((member.file(REGISTRATION_FILE), *overlay), problem)])
    if any(member.name == service for member in fleet.routed):
        problem = f"external.{service}: Envoy refuses the gateway's configuration for it: {reason}."
        raise FaultsError([Fault((SETTINGS_FILE,), problem)])
    raise SvcgenError(
        f"Envoy refuses the gateway's configuration; nothing was written: {reason}",
        "Undo the latest change. Show what differs: svcgen compose --check --diff",
    )


def _first_refused(
    files: Mapping[str, str], names: Sequence[str], validate: Validate
) -> tuple[str, str] | None:
    """Return the first of these services whose part Envoy refuses, and why; None without one."""
    reason = validate(static_twin(files, names)) if names else ""
    if not reason:
        return None
    if len(names) == 1:
        return names[0], reason
    half = len(names) // 2
    return _first_refused(files, names[:half], validate) or _first_refused(
        files, names[half:], validate
    )
