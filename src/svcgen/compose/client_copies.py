"""What callers rely on: a copy of each callee's OpenAPI document in the caller's `clients/`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from svcgen.compose.fleet import WRITE_DOCUMENT, Fault, FaultsError, Fleet, Member
from svcgen.errors import SvcgenError
from svcgen.files import read_text
from svcgen.gateway.apply import replace_text
from svcgen.openapi.breaking import REMOVED, breaking_changes
from svcgen.openapi.document import Operation, operations, read_document
from svcgen.openapi.schemas import Document
from svcgen.service import OPENAPI_FILE, REGISTRATION_FILE

FOLDER, SUFFIX = "clients", ".openapi.json"


@dataclass(frozen=True)
class SpecCopy:
    """A caller's copy of a callee's OpenAPI document; `callee` is None for an unknown service."""

    caller: Member
    name: str
    callee: Member | None

    @property
    def file(self) -> str:
        """The copy, relative to the root."""
        return self.caller.file(f"{FOLDER}/{self.name}{SUFFIX}")

    @property
    def path(self) -> Path:
        """The copy on disk."""
        return self.caller.service.folder / FOLDER / f"{self.name}{SUFFIX}"


def broken_contracts(fleet: Fleet, everyone: Sequence[Member]) -> list[Fault]:
    """Return each break between the copies of a fleet's callers and the callees' own documents.

    The callees are out of everyone. A callee without a copy is ignored: nothing states what its
    caller relies on.
    """
    by_name = {member.name: member for member in everyone}
    faults: list[Fault] = []
    for caller in fleet.members:
        for path in sorted((caller.service.folder / FOLDER).glob(f"*{SUFFIX}")):
            name = path.name.removesuffix(SUFFIX)
            faults += _faults(SpecCopy(caller, name, by_name.get(name)), everyone)
    return list(dict.fromkeys(faults))


def outdated_copies(fleet: Fleet, everyone: Sequence[Member]) -> list[tuple[SpecCopy, str]]:
    """Return each copy that is missing or differs from its callee's document, with that document.

    Raises FaultsError when the document of a callee is missing or invalid.
    """
    by_name = {member.name: member for member in everyone}
    outdated, faults = [], []
    for caller in fleet.members:
        for name in sorted(caller.calls):
            copy = SpecCopy(caller, name, by_name.get(name))
            if copy.callee is None:
                continue
            document = _own_document(copy.callee)
            if isinstance(document, Fault):
                faults.append(document)
            else:
                text = read_text(copy.callee.service.openapi)
                if text is not None and _text(copy.path) != text:
                    outdated.append((copy, text))
    if faults:
        raise FaultsError(list(dict.fromkeys(faults)))
    return outdated


def write_copies(outdated: Iterable[tuple[SpecCopy, str]]) -> None:
    """Replace the callers' copies by the callees' documents."""
    for copy, text in outdated:
        replace_text(copy.path, text)


def _faults(copy: SpecCopy, everyone: Sequence[Member]) -> Iterator[Fault]:
    registration = copy.caller.registration
    if registration and copy.name not in registration.calls:
        files = (copy.file, copy.caller.file(REGISTRATION_FILE))
        yield Fault(files, f'disagree: there is a copy, but `calls` does not name "{copy.name}".')
        return
    try:
        document = read_document(copy.path)
    except SvcgenError as error:
        problem = f"{error.problem}; write it again with `svcgen compose --refresh`."
        yield Fault((copy.file,), problem)
        return
    if copy.callee is None:
        every = ", ".join(map(str, operations(document).values()))
        yield Fault((copy.file,), f"relies on what no service has: {every}.")
        return
    own = _own_document(copy.callee)
    if isinstance(own, Fault):
        yield own
        return
    files = (copy.file, copy.callee.file(OPENAPI_FILE))
    try:
        for operation, problem in list(breaking_changes(document, own)):
            owner = f"; {_owner_of(operation, everyone)}" if problem == REMOVED else ""
            yield Fault(files, f"{operation}: {problem}{owner}.")
    except RecursionError:
        yield Fault(files, "are nested too deeply to be compared.")


def _own_document(callee: Member) -> Document | Fault:
    """Return a callee's own document, or the fault that it is missing or invalid."""
    try:
        return read_document(callee.service.openapi)
    except SvcgenError as error:
        return Fault((callee.file(OPENAPI_FILE),), f"{error.problem}; {WRITE_DOCUMENT}.")


def _owner_of(operation: Operation, everyone: Sequence[Member]) -> str:
    """Look for an operation in other services: it may have moved."""
    for member in everyone:
        try:
            if operation.key in operations(read_document(member.service.openapi)):
                return f"{member.name} has it"
        except SvcgenError:
            continue  # an unreadable document has no operations
    return "no service has it"


def _text(path: Path) -> str | None:
    try:
        return read_text(path)
    except (OSError, ValueError):
        return None
