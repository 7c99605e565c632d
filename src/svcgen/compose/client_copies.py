"""What callers rely on: a copy of each callee's OpenAPI document in the caller's `clients/`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from svcgen.compose.callees import external_document
from svcgen.compose.fleet import WRITE_DOCUMENT, Fault, FaultsError, Fleet, Member
from svcgen.errors import SvcgenError
from svcgen.files import read_text
from svcgen.gateway.apply import replace_text
from svcgen.openapi.breaking import REMOVED, breaking_changes
from svcgen.openapi.document import Key, Operation, operations, read_document
from svcgen.openapi.schemas import Document
from svcgen.service import OPENAPI_FILE, REGISTRATION_FILE, client_copies, client_copy
from svcgen.settings import SETTINGS_FILE


@dataclass(frozen=True)
class CalleeDocument:
    """A callee's own document: its path, the name that messages have, and how to correct it."""

    path: Path
    file: str
    advice: str


@dataclass(frozen=True)
class SpecCopy:
    """A caller's copy of a callee's OpenAPI document; `own` is None where that is elsewhere."""

    caller: Member
    name: str
    own: CalleeDocument | None

    @property
    def file(self) -> str:
        """The copy, relative to the root."""
        return self.caller.file(self.path.relative_to(self.caller.service.folder).as_posix())

    @property
    def path(self) -> Path:
        """The copy on disk."""
        return client_copy(self.caller.service.folder, self.name)


def broken_contracts(fleet: Fleet, everyone: Sequence[Member]) -> list[Fault]:
    """Return each break between the copies of a fleet's callers and the callees' own documents.

    The callees are out of everyone, or external. A callee without a copy, or without a document
    here, is ignored: nothing states what its caller relies on, or what it offers.
    """
    documents = _documents(fleet, everyone)
    faults: list[Fault] = []
    for caller in fleet.members:
        for name in client_copies(caller.service.folder):
            faults += _faults(SpecCopy(caller, name, documents.get(name)), everyone)
    return list(dict.fromkeys(faults))


def outdated_copies(fleet: Fleet, everyone: Sequence[Member]) -> list[tuple[SpecCopy, str]]:
    """Return each copy that is missing or differs from its callee's document, with that document.

    Raises FaultsError when the document of a callee is missing or invalid.
    """
    documents = _documents(fleet, everyone)
    outdated, faults = [], []
    for caller in fleet.members:
        for name in sorted(caller.calls):
            copy = SpecCopy(caller, name, documents.get(name))
            if copy.own is None:
                continue
            document = _own_document(copy.own)
            if isinstance(document, Fault):
                faults.append(document)
            else:
                text = read_text(copy.own.path)
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
        again = "write it again with `svcgen compose --refresh`"
        problem = f"{error.problem}; {again if copy.own else 'restore it from version control'}."
        yield Fault((copy.file,), problem)
        return
    if copy.own is None:
        return
    own = _own_document(copy.own)
    if isinstance(own, Fault):
        yield own
        return
    files = (copy.file, copy.own.file)
    used, unknown = _used(copy, document)
    yield from unknown
    try:
        for operation, problem in list(breaking_changes(document, own)):
            if operation.key not in used:
                continue
            owner = f"; {_owner_of(operation, everyone)}" if problem == REMOVED else ""
            yield Fault(files, f"{operation}: {problem}{owner}.")
    except RecursionError:
        yield Fault(files, "are nested too deeply to be compared.")


def _used(copy: SpecCopy, document: Document) -> tuple[set[Key], list[Fault]]:
    """Return the operations on which a caller relies, and its names for ones that do not exist."""
    offered = operations(document)
    registration = copy.caller.registration
    names = registration.uses.get(copy.name) if registration else None
    if names is None:
        return set(offered), []
    known = {name: key for key, operation in offered.items() for name in _names_of(operation)}
    files = (copy.caller.file(REGISTRATION_FILE), copy.file)
    shown = " ".join(sorted(str(one.content.get("operationId", one)) for one in offered.values()))
    faults = [
        Fault(files, f'disagree: `uses` has "{name}", and the copy has no such operation: {shown}.')
        for name in names
        if name not in known
    ]
    return {known[name] for name in names if name in known}, faults


def _names_of(operation: Operation) -> tuple[str, str]:
    """Return what `uses` may call an operation."""
    identifier = str(operation.content.get("operationId", ""))
    return identifier, f"{operation.method.upper()} {operation.path}"


def _documents(fleet: Fleet, everyone: Sequence[Member]) -> dict[str, CalleeDocument]:
    """Return the document of each service of the workspace, and of each external one with one."""
    documents = {
        member.name: CalleeDocument(
            member.service.openapi, member.file(OPENAPI_FILE), WRITE_DOCUMENT
        )
        for member in everyone
    }
    for name, external in fleet.settings.external.items():
        path = external_document(fleet.root, fleet.settings, name)
        if path and path.is_file():  # check_external names another one
            advice = f"correct external.{name}.document in {SETTINGS_FILE}"
            documents.setdefault(name, CalleeDocument(path, external.document, advice))
    return documents


def _own_document(own: CalleeDocument) -> Document | Fault:
    """Return a callee's own document, or the fault that it is missing or invalid."""
    try:
        return read_document(own.path)
    except SvcgenError as error:
        return Fault((own.file,), f"{error.problem}; {own.advice}.")


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
