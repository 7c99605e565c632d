"""Documents of the commands about services: new, list, questions, demo, verify, doctor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from svcgen.cli.documents.fleet import UpDocument, up_document

if TYPE_CHECKING:
    from svcgen.commands.demo import DemoResult
    from svcgen.commands.doctor import DoctorResult
    from svcgen.commands.list import GraphResult, ListResult, OutdatedResult
    from svcgen.commands.new import NewResult
    from svcgen.commands.questions import QuestionsResult
    from svcgen.commands.verify import VerifyResult


@dataclass(frozen=True)
class NewDocument:
    """The service that `svcgen new` created."""

    name: Annotated[str, "Name of the service."]
    folder: Annotated[str, "Absolute path of the service."]
    template_version: Annotated[str, "Version of the template; empty for a folder without git."]
    files: Annotated[tuple[str, ...], "Paths in the service, sorted."]
    changed: Annotated[
        tuple[str, ...], "Files of called services that name it as a caller now, absolute."
    ]


def new_document(result: NewResult) -> NewDocument:
    """Build the document of `svcgen new`."""
    changed = tuple(map(str, result.changed))
    return NewDocument(result.name, str(result.folder), result.version, result.files, changed)


@dataclass(frozen=True)
class ListedServiceDocument:
    """A service of the workspace."""

    name: Annotated[str, "Name of the service."]
    stack: Annotated[str, "Its language and framework, for example `python`."]
    kind: Annotated[str, "Its kind, for example `http`."]
    database: Annotated[str, "`none` or `postgres`."]
    template_version: Annotated[str, "Version of the template that it has."]
    folder: Annotated[str, "Its path, relative to the workspace."]


@dataclass(frozen=True)
class ExternalDocument:
    """A called service that is not part of the workspace."""

    name: Annotated[str, "Name of the service, as in `calls`."]
    url: Annotated[str, "Its base URL."]


@dataclass(frozen=True)
class ListDocument:
    """The services of the workspace."""

    services: Annotated[tuple[ListedServiceDocument, ...], "In order of their names."]
    external: Annotated[
        tuple[ExternalDocument, ...], "Those of `external` in svcgen.yaml, in order of their names."
    ]


def list_document(result: ListResult) -> ListDocument:
    """Build the document of `svcgen list`."""
    return ListDocument(
        tuple(
            ListedServiceDocument(
                name=service.name,
                stack=service.stack,
                kind=service.kind,
                database=service.database,
                template_version=service.version,
                folder=service.folder,
            )
            for service in result.services
        ),
        tuple(ExternalDocument(name, url) for name, url in result.external.items()),
    )


@dataclass(frozen=True)
class ChangelogEntry:
    """What one version of a template changes."""

    version: Annotated[str, "Version of the template, or `Unreleased`."]
    text: Annotated[str, "Its section of CHANGELOG.md, in Markdown."]


@dataclass(frozen=True)
class OutdatedServiceDocument:
    """A service that is behind its template, or that could not be compared."""

    name: Annotated[str, "Name of the service."]
    folder: Annotated[str, "Its path, relative to the workspace."]
    template: Annotated[str, "Address of its template."]
    template_version: Annotated[str, "Version of the template that it has."]
    newest: Annotated[str, "Newest version of the template; empty with an error."]
    changelog: Annotated[tuple[ChangelogEntry, ...], "What changed since its version."]
    error: Annotated[str, "Why it could not be compared; empty if it was."]


@dataclass(frozen=True)
class OutdatedDocument:
    """The services that are behind their template."""

    services: Annotated[tuple[OutdatedServiceDocument, ...], "Current services are not listed."]


def outdated_document(result: OutdatedResult) -> OutdatedDocument:
    """Build the document of `svcgen list --outdated`."""
    return OutdatedDocument(
        tuple(
            OutdatedServiceDocument(
                name=service.name,
                folder=service.folder,
                template=service.template,
                template_version=service.version,
                newest=service.newest,
                changelog=tuple(
                    ChangelogEntry(entry.version, entry.text) for entry in service.entries
                ),
                error=service.error,
            )
            for service in result.services
        )
    )


@dataclass(frozen=True)
class Call:
    """A call from one service to another."""

    caller: Annotated[str, "Name of the service that calls."]
    callee: Annotated[str, "Name of the service that is called."]


@dataclass(frozen=True)
class GraphDocument:
    """Which services call each other."""

    services: Annotated[tuple[str, ...], "Names of all services."]
    exposed: Annotated[tuple[str, ...], "Names of the services with routes at the gateway."]
    calls: Annotated[tuple[Call, ...], "One for each declared call."]
    external: Annotated[tuple[str, ...], "Called services with a URL in svcgen.yaml."]
    absent: Annotated[tuple[str, ...], "Other called services that are not in the workspace."]


def graph_document(result: GraphResult) -> GraphDocument:
    """Build the document of `svcgen list --graph`."""
    return GraphDocument(
        services=result.services,
        exposed=tuple(sorted(result.exposed)),
        calls=tuple(Call(caller, callee) for caller, callee in result.calls),
        external=result.external,
        absent=result.absent,
    )


@dataclass(frozen=True)
class AnswerChoice:
    """An answer that a question offers."""

    answer: Annotated[str, "What to type, for example `postgres`."]
    label: Annotated[str, "What the template calls it, for example `PostgreSQL`."]


@dataclass(frozen=True)
class QuestionDocument:
    """A question of a template."""

    name: Annotated[str, "Name of the question, as in `-d NAME=ANSWER`."]
    type: Annotated[str, "Copier's type of the answer, for example `str` or `yaml`."]
    help: Annotated[str, "What the template asks."]
    choices: Annotated[tuple[AnswerChoice, ...], "Empty if any answer of the type is accepted."]
    multiselect: Annotated[bool, "Whether the answer is a list of choices."]
    default: Annotated[
        Any, "As copier.yml has it: it may contain Jinja. `null` if an answer is required."
    ]


@dataclass(frozen=True)
class QuestionsDocument:
    """The questions of a template."""

    template: Annotated[str, "Address of the template."]
    template_version: Annotated[str, "Its version."]
    questions: Annotated[tuple[QuestionDocument, ...], "In the order of copier.yml."]


def questions_document(result: QuestionsResult) -> QuestionsDocument:
    """Build the document of `svcgen questions`."""
    return QuestionsDocument(
        result.template,
        result.version,
        tuple(
            QuestionDocument(
                name=question.name,
                type=question.type,
                help=question.help,
                choices=tuple(
                    AnswerChoice(answer, label) for answer, label in question.choices.items()
                ),
                multiselect=question.multiselect,
                default=question.default,
            )
            for question in result.questions
        ),
    )


@dataclass(frozen=True)
class DemoRequest:
    """A request through the gateway, and its response."""

    method: Annotated[str, "Method of the request."]
    path: Annotated[str, "Path of the request, with its query."]
    status: Annotated[int, "Status code of the response."]
    body: Annotated[Any, "Body of the response."]


@dataclass(frozen=True)
class DemoDocument:
    """The fleet that `svcgen demo` created, and what it answered."""

    folder: Annotated[str, "Temporary folder of the services; it is removed at the end."]
    fleet: Annotated[UpDocument, "The fleet, as `svcgen up` describes it."]
    requests: Annotated[tuple[DemoRequest, ...], "In the order in which they were sent."]


def demo_document(result: DemoResult) -> DemoDocument:
    """Build the document of `svcgen demo`."""
    return DemoDocument(
        str(result.folder),
        up_document(result.fleet),
        tuple(
            DemoRequest(answer.method, answer.path, answer.status, answer.body)
            for answer in result.answers
        ),
    )


@dataclass(frozen=True)
class VerifiedRule:
    """A rule of the contract, and whether the service keeps it."""

    name: Annotated[str, "Name of the rule, as in docs/contract.md."]
    rule: Annotated[str, "The rule in a few words."]
    state: Annotated[str, "`kept`, `broken` or `not checked`."]
    detail: Annotated[str, "What was observed, or why it was not checked; empty if it is kept."]


@dataclass(frozen=True)
class VerifyDocument:
    """How a service keeps the contract."""

    service: Annotated[str, "Name of the service."]
    target: Annotated[str, "The folder, image or URL that was checked."]
    rules: Annotated[tuple[VerifiedRule, ...], "In the order of docs/contract.md."]


def verify_document(result: VerifyResult, states: Mapping[bool | None, str]) -> VerifyDocument:
    """Build the document of `svcgen verify`."""
    return VerifyDocument(
        result.service,
        result.target,
        tuple(
            VerifiedRule(one.check.name, one.check.rule, states[one.ok], one.detail)
            for one in result.findings
        ),
    )


@dataclass(frozen=True)
class ConditionDocument:
    """One thing that `svcgen doctor` looked at."""

    name: Annotated[str, "What was looked at, for example `engine docker` or `stack go`."]
    state: Annotated[
        str, "`ok`; `missing`: prevents work; `not needed`: absent, and nothing here needs it."
    ]
    detail: Annotated[str, "What was found."]
    advice: Annotated[str, "What to do; empty if the state is `ok`."]


@dataclass(frozen=True)
class DoctorDocument:
    """What this machine and this workspace have and lack."""

    conditions: Annotated[tuple[ConditionDocument, ...], "The machine first, then the workspace."]


def doctor_document(result: DoctorResult) -> DoctorDocument:
    """Build the document of `svcgen doctor`."""
    return DoctorDocument(
        tuple(
            ConditionDocument(one.name, one.state, one.detail, one.advice)
            for one in result.conditions
        )
    )
