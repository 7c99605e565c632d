"""What callers rely on: a copy of each callee's OpenAPI document in the caller's `clients/`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from svcgen.compose.fleet import WRITTEN_BY, Fault, FaultsError, Fleet, Member
from svcgen.errors import SvcgenError
from svcgen.openapi.breaking import GONE, Operation, broken_promises, operations
from svcgen.openapi.document import read_document
from svcgen.openapi.schemas import Document
from svcgen.service import REGISTRATION_FILE

FOLDER, ENDING = "clients", ".openapi.json"
DOCUMENT = "openapi.json"


@dataclass(frozen=True)
class Copy:
    """What a caller knows of a callee's API, and where the callee's own document is."""

    caller: Member
    name: str
    callee: Member | None

    @property
    def file(self) -> str:
        """The copy, relative to the root."""
        return self.caller.file(f"{FOLDER}/{self.name}{ENDING}")

    @property
    def path(self) -> Path:
        """The copy on disk."""
        return self.caller.service.folder / FOLDER / f"{self.name}{ENDING}"


def broken_contracts(fleet: Fleet, everyone: Sequence[Member]) -> list[Fault]:
    """Return what callers of the fleet rely on and their callees, out of everyone, do not keep.

    A callee without a copy is passed over: nothing is known of what its caller relies on.
    """
    copies = [copy for member in fleet.members for copy in _copies(member, everyone)]
    return list(dict.fromkeys(chain.from_iterable(_faults(copy, everyone) for copy in copies)))


def newer_documents(fleet: Fleet, everyone: Sequence[Member]) -> list[tuple[Copy, str]]:
    """Return each copy that is not its callee's document, or is missing, with that document.

    Raises FaultsError when one of these is none.
    """
    called = [copy for member in fleet.members for copy in _called(member, everyone)]
    own = [_own_document(copy.callee) for copy in called if copy.callee]
    faults = [fault for fault in own if isinstance(fault, Fault)]
    if faults:
        raise FaultsError(list(dict.fromkeys(faults)))
    texts = [(copy, _text(copy.callee.service.openapi)) for copy in called if copy.callee]
    return [(copy, text) for copy, text in texts if text and _text(copy.path) != text]


def _copies(caller: Member, everyone: Sequence[Member]) -> Iterator[Copy]:
    by_name = {member.name: member for member in everyone}
    for path in sorted((caller.service.folder / FOLDER).glob(f"*{ENDING}")):
        name = path.name.removesuffix(ENDING)
        yield Copy(caller, name, by_name.get(name))


def _called(caller: Member, everyone: Sequence[Member]) -> Iterator[Copy]:
    by_name = {member.name: member for member in everyone}
    for name in sorted(caller.registration.calls if caller.registration else ()):
        yield Copy(caller, name, by_name.get(name))


def _faults(copy: Copy, everyone: Sequence[Member]) -> Iterator[Fault]:
    registration = copy.caller.registration
    if registration and copy.name not in registration.calls:
        files = (copy.file, copy.caller.file(REGISTRATION_FILE))
        yield Fault(files, f'disagree: a copy is there, but `calls` does not name "{copy.name}".')
        return
    try:
        document = read_document(copy.path)
    except SvcgenError as error:
        yield Fault((copy.file,), f"{error.problem}; `svcgen compose --refresh` writes it anew.")
        return
    if copy.callee is None:
        every = ", ".join(map(str, operations(document).values()))
        yield Fault((copy.file,), f"relies on what no service has: {every}.")
        return
    own = _own_document(copy.callee)
    if isinstance(own, Fault):
        yield own
        return
    files = (copy.file, copy.callee.file(DOCUMENT))
    yield from _compared(files, document, own, everyone)


def _own_document(callee: Member) -> Document | Fault:
    """Read what a callee says of itself, or say why that cannot be."""
    try:
        return read_document(callee.service.openapi)
    except SvcgenError as error:
        return Fault((callee.file(DOCUMENT),), f"{error.problem}; {WRITTEN_BY}.")


def _compared(
    files: tuple[str, str], document: Document, own: Document, everyone: Sequence[Member]
) -> Iterator[Fault]:
    try:
        found = list(broken_promises(document, own))
    except RecursionError:
        yield Fault(files, "are nested too deeply to be compared.")
        return
    for operation, problem in found:
        there = f"; {_who_has(operation, everyone)}" if problem == GONE else ""
        yield Fault(files, f"{operation}: {problem}{there}.")


def _who_has(operation: Operation, everyone: Sequence[Member]) -> str:
    """Look for an operation elsewhere: it may have moved to another service."""
    for member in everyone:
        try:
            if operation.key in operations(read_document(member.service.openapi)):
                return f"{member.name} has it"
        except SvcgenError:
            continue  # what cannot be read has nothing
    return "no service has it"


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
