"""Results as text for people, and `emit`, with which every command ends."""

from __future__ import annotations

import json as json_
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import typer

from svcgen.cli.documents import as_json
from svcgen.errors import counted, one_line, printable

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from svcgen.commands.compose import ComposeResult
    from svcgen.commands.demo import DemoResult
    from svcgen.commands.list import GraphResult, ListResult
    from svcgen.commands.new import NewResult
    from svcgen.commands.ps import PsResult
    from svcgen.commands.questions import Question, QuestionsResult
    from svcgen.commands.template.init import InitResult
    from svcgen.commands.template.release import ReleaseResult
    from svcgen.commands.template.upgrade import UpgradeResult
    from svcgen.commands.up import UpResult
    from svcgen.compose.fleet import Fault
    from svcgen.gateway.access import KeyWay
    from svcgen.gateway.routes import Explanation, Route
    from svcgen.run.engine import LogLine, Replica
    from svcgen.template_check.check import CheckResult


def emit(
    document: DataclassInstance, text: str, notes: str = "", *, json: bool, exact: bool = False
) -> None:
    """Print the result of a command: with `--json` the document, else the text.

    `notes` are problems and next steps. They go to standard error, and only with the text. Control
    characters are escaped. An `exact` text is one of files, such as a patch: in a file or a pipe it
    keeps its bytes, also those that are not UTF-8, and only on a terminal it is escaped.
    """
    if json:
        typer.echo(as_json(document))
        return
    if text:
        say(text, exact=exact)
    if notes:
        say(notes, err=True)


def say(text: str, *, err: bool = False, exact: bool = False) -> None:
    """Print a text as `emit` does; it ends with a newline."""
    stream = sys.stderr if err else sys.stdout
    shown = text if exact and not stream.isatty() else printable(text)
    ended = shown if shown.endswith("\n") else f"{shown}\n"
    typer.echo(ended.encode(errors="surrogateescape"), err=err, nl=False)


def report_progress(service: str, what: str) -> None:
    """Print progress to standard error, so that standard output holds only the result."""
    say(f"{service:<15} {what}", err=True)


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Align rows under the names of their keys."""
    if not rows:
        return ""
    lines = [[name.upper() for name in rows[0]]]
    lines += [[one_line(str(value)) for value in row.values()] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = [map(str.ljust, line, widths) for line in lines]
    return "\n".join("  ".join(cells).rstrip() for cells in padded)


def new_service(made: NewResult) -> str:
    """Draw the files of a new service."""
    files = tree(made.folder.name, made.files)
    changed = "".join(
        f"{one_line(str(path))} names {made.name} as a caller.\n" for path in made.changed
    )
    return f"{files}\n\n{changed}{counted(len(made.files), 'file')}. Next: svcgen up"


def services(result: ListResult) -> str:
    """Show one service a line, and below the external ones."""
    external = [{"external": name, "url": url} for name, url in result.external.items()]
    services_ = table(
        [
            {
                "name": service.name,
                "stack": service.stack or "-",
                "kind": service.kind,
                "database": service.database,
                "template": service.version or "-",
                "folder": service.folder,
            }
            for service in result.services
        ]
    )
    return "\n\n".join(filter(None, [services_, table(external)]))


def call_graph(graph: GraphResult) -> str:
    """Draw which services call each other, in Mermaid: a README shows it as a picture."""
    lines = ["flowchart LR"]
    for name in graph.services:
        if name in graph.exposed:
            lines.append(f"    gateway([gateway]) --> {name}")
        lines += [f"    {name} --> {callee}" for caller, callee in graph.calls if caller == name]
    lines += [f'    {name}["{name}, external"]' for name in graph.external]
    lines += [f'    {name}["{name}, not in this workspace"]' for name in graph.absent]
    return "\n".join(lines)


def questions(result: QuestionsResult) -> str:
    """Show each question with its choices and its default."""
    return "\n\n".join(map(_question, result.questions))


def _question(question: Question) -> str:
    width = max(map(len, question.choices), default=0)
    lines = [f"{question.name} ({question.type})", f"  {question.help}"]
    lines += [f"    {answer:<{width}}  {label}" for answer, label in question.choices.items()]
    default = json_.dumps(question.default, ensure_ascii=False, default=str).strip('"')
    lines.append("  required" if question.default is None else f"  default: {default}")
    return "\n".join(filter(str.strip, lines))


def composed(done: ComposeResult) -> str:
    """Count services and routes, and list the files that were written."""
    services, routes = counted(len(done.services), "service"), counted(done.routes, "route")
    lines = [f"{services}, {routes} at the gateway"]
    lines += [f"  wrote {one_line(file)}" for file in done.written] or ["  all files are current"]
    if done.refreshed:
        lines.append(f"Next: make generate, in {', '.join(done.refreshed)}")
    return "\n".join(lines)


def checked(done: ComposeResult, *, diff: bool) -> str:
    """Show what would be written, if the services fit together: in words, or as a diff."""
    if done.faults:
        return "Nothing to compare: the services do not fit together."
    shown = "".join(done.differences.values()) if diff else "\n".join(done.changes)
    return shown or "compose.yaml and gateway/ are current"


def fleet_faults(done: ComposeResult) -> str:
    """List what does not fit together, a line each, after the callees that are not checked out."""
    notes = absent(done.absent)
    found = [*done.faults, *done.broken, *done.unrouted]
    if not found:
        return notes
    lines = [f"{counted(len(found), 'fault')}:"]
    lines += [f"  {fault}" for fault in found]
    if done.broken:
        lines.append("Fix the callee, or accept its API: svcgen compose --refresh")
    return notes + "\n".join(lines) + "\n"


def absent(notes: Sequence[Fault]) -> str:
    """Name the called services that are not checked out, a line each; empty without."""
    return "".join(f"{note}\n" for note in notes)


def broken_contracts(faults: Sequence[Fault]) -> str:
    """List what callers rely on and their callees do not offer, a line each; empty without."""
    lines = [f"  {fault}\n" for fault in faults]
    advice = "Fix the callee, or accept its API: svcgen compose --refresh\n"
    return "".join(["Broken contracts:\n", *lines, advice]) if lines else ""


def wanted_keys(ways: Sequence[KeyWay]) -> str:
    """Name each group of keys that a route accepts and that has no key; empty without."""
    return "".join(map(_wanted_key, ways))


def _wanted_key(way: KeyWay) -> str:
    tier, option = (f" of the tier {way.tier}", f" --tier {way.tier}") if way.tier else ("", "")
    return f"The group {way.key} has no key{tier}. Add one: svcgen key add {way.key} NAME{option}\n"


def routes(table_: Sequence[Route]) -> str:
    """Show the gateway's table in the order in which routes are tried."""
    rows = [
        {
            "path": route.path if route.exact else f"{route.path.rstrip('/')}/…",
            "methods": " ".join(route.methods) or "all",
            "service": f"{route.service} (external)" if route.host else route.service,
            "route": route.name,
            "auth": route.auth_text,
            "timeout": "none" if route.stream else seconds(route.timeout_ms),
            "expose": "internal" if route.internal else "gateway",
        }
        for route in table_
    ]
    weaker = [f"{each.full_name} is weaker: {each.weaker}" for each in table_ if each.weaker]
    return "\n".join([table(rows), *weaker])


def explanation(explained: Explanation) -> str:
    """Show which service gets a request and why, or how the gateway replies itself."""
    head = f"{explained.method} {explained.path}"
    if explained.route is None:
        allow = f"Allow: {', '.join(explained.allow)}" if explained.allow else ""
        status = f"{head} -> {explained.status} from the gateway"
        return "\n".join(filter(None, [status, explained.reason, allow]))
    route = explained.route
    external = f", external, as Host: {route.host}" if route.host else ""
    lines = [
        f"{head} -> {route.service} (route {route.name}{external})",
        f"won by: {explained.reason}",
        *(f"passed over: {other}" for other in explained.passed_over),
        f"authentication: {route.auth_text}",
        *([f"weaker: {route.weaker}"] if route.weaker else []),
        _times(route),
        *(f"rate limit: {limit}; of each gateway replica" for limit in route.rate_limits),
        *([f"CORS: {route.cors}"] if route.cors else []),
        f"largest body: {f'{route.max_body:,} bytes' if route.max_body else 'no limit'}",
    ]
    return "\n".join(lines)


def _times(route: Route) -> str:
    if route.stream:
        return f"stream: ends after {seconds(route.stream_idle_ms)} without a byte, retries: none"
    return f"timeout: {seconds(route.timeout_ms)}, retries: {route.attempts or 'none'}"


def replicas(running: Iterable[Replica]) -> str:
    """Show one replica a line."""
    rows = [
        {
            "service": replica.service,
            "replica": replica.number,
            "state": replica.state,
            "restarts": replica.restarts,
            "address": replica.address or "-",
            "pid": replica.pid or "-",
        }
        for replica in running
    ]
    return table(rows)


def fleet(result: UpResult) -> str:
    """Show where a fleet runs, its routes, and how to get a token where one is needed."""
    token = f"\n\nPrint a token: {result.token}" if result.token else ""
    return f"\n{result.url} ({result.engine}: {result.why})\n\n{routes(result.routes)}{token}"


def running(result: PsResult) -> str:
    """Show where a fleet runs, and its replicas; empty if nothing runs."""
    if not result.replicas:
        return ""
    return f"{result.url} ({result.engine})\n\n{replicas(result.replicas)}"


def demo(shown: DemoResult) -> str:
    """Show the fleet of a demonstration, and each request with its response."""
    lines = [fleet(shown.fleet)]
    for answer in shown.answers:
        body = json_.dumps(answer.body, ensure_ascii=False)
        lines += ["", f"{answer.method} {answer.path}", f"{answer.status} {body}"]
    return "\n".join(lines)


def log_line(line: LogLine) -> str:
    """Show a line of a log after the name of its replica."""
    return f"{line.service}-{line.number} | {line.text}"


def seconds(milliseconds: int) -> str:
    """Format a duration: 1500 is `1.5s`."""
    return f"{milliseconds / 1000:g}s"


def tree(name: str, files: Iterable[str]) -> str:
    """Draw files, given as relative paths, below their folder."""
    branches: dict[str, Any] = {}
    for file in files:
        branch = branches
        for part in PurePath(file).parts:
            branch = branch.setdefault(part, {})
    return "\n".join([f"{one_line(name)}/", *_branches(branches, "")])


def _branches(branches: dict[str, Any], indent: str) -> Iterable[str]:
    # Files come before folders, so that the line above a file is its folder or a sibling.
    names = sorted(branches, key=lambda name: (bool(branches[name]), name))
    for name in names:
        last = name == names[-1]
        yield f"{indent}{'└── ' if last else '├── '}{one_line(name)}{'/' if branches[name] else ''}"
        yield from _branches(branches[name], indent + ("    " if last else "│   "))


def template_faults(checked: CheckResult) -> str:
    """List the broken rules, a line each, with the answers that show them."""
    lines = [
        f"{one_line(fault.path)}: {fault.rule}: {fault.problem}"
        + (f" ({fault.answers})" if fault.answers else "")
        for fault in checked.faults
    ]
    refused = f", {checked.refused} of them refused by its validators" if checked.refused else ""
    count = counted(len(lines), "fault")
    tried = f"{counted(checked.tried, 'combination')} of answers"
    if checked.tried < checked.possible:
        tried = f"{checked.tried} of {checked.possible} combinations, with every pair of choices"
    return "\n".join([*lines, f"{tried}{refused}: {count}"])


def template_created(made: InitResult, folder: str) -> str:
    """Name the new template and the next commands."""
    return (
        f"Created {folder} with svcgen's template {made.version}, "
        f"on the branches main and {made.upstream}.\n"
        f"Next: cd {folder}, edit the template, then: svcgen template check"
    )


def template_upgraded(done: UpgradeResult) -> str:
    """Report the merge of a release, or its conflicts."""
    if not done.conflicts:
        merged = f"Merged svcgen's {done.version} into {done.branch}."
        return f"{merged}\nNext: svcgen template check"
    return "\n".join(
        [
            f"{done.version} and {done.branch} both changed:",
            *(f"  {one_line(path)}" for path in done.conflicts),
            "Resolve each conflict, then: git add . && git commit",
            "Or undo the merge: git merge --abort",
        ]
    )


def template_released(done: ReleaseResult) -> str:
    """Report the tag of a version, or the faults that prevented it."""
    checked_ = template_faults(done.checked)
    if done.checked.faults:
        return f"{checked_}\n{done.version} was not tagged."
    return f"{checked_}\nTagged {done.version}.\nNext: git push origin {done.version}"
