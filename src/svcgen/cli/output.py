"""Values as text: tables and trees for people, one JSON document for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from svcgen.errors import counted

if TYPE_CHECKING:
    from svcgen.commands.compose import ComposeResult
    from svcgen.commands.demo import DemoResult
    from svcgen.commands.template.init import InitResult
    from svcgen.commands.template.release import ReleaseResult
    from svcgen.commands.template.upgrade import UpgradeResult
    from svcgen.compose.fleet import Fault
    from svcgen.gateway.routes import Explanation, Route
    from svcgen.run.engine import LogLine, Replica
    from svcgen.template_check.check import CheckResult


def document(value: Any) -> str:
    """Write a result as one JSON document; paths are strings, data classes are objects.

    JSON is UTF-8: a byte of a file or a name that is not becomes U+FFFD.
    """
    text = json.dumps(_plain(value), indent=2, ensure_ascii=False)
    return text.encode(errors="surrogateescape").decode(errors="replace")


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Align rows under the names of their keys."""
    if not rows:
        return ""
    lines = [[name.upper() for name in rows[0]]]
    lines += [[str(cell) for cell in row.values()] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_padded(line, widths) for line in lines)


def composed(done: ComposeResult) -> str:
    """Say what was stitched, which files were written, and what is to be made of them."""
    lines = [f"{len(done.services)} services, {done.routes} routes at the gateway"]
    lines += [f"  wrote {file}" for file in done.written] or ["  all was current"]
    if done.refreshed:
        lines.append(f"Next: make generate, in {', '.join(done.refreshed)}")
    return "\n".join(lines)


def checked(done: ComposeResult) -> str:
    """Show how the files differ from what would be written, if that can be said."""
    if done.faults:
        return "Nothing to compare: the services do not fit together."
    return "".join(done.differences.values()) or "compose.yaml and gateway/ are current"


def complaints(done: ComposeResult) -> str:
    """List what does not fit, a line each; empty when all does."""
    found = [*done.faults, *done.broken]
    if not found:
        return ""
    lines = [f"{counted(len(found), 'fault')}:"]
    lines += [f"  {fault}" for fault in found]
    if done.broken:
        lines.append("Fix the callee, or accept its API: svcgen compose --refresh")
    return "\n".join(lines) + "\n"


def broken_contracts(faults: Sequence[Fault]) -> str:
    """List what callers rely on and their callees do not offer, a line each; empty without."""
    lines = [f"  {fault}\n" for fault in faults]
    advice = "Fix the callee, or accept its API: svcgen compose --refresh\n"
    return "".join(["Broken contracts:\n", *lines, advice]) if lines else ""


def routes(table_: Sequence[Route]) -> str:
    """Show the gateway's table in the order in which routes are tried."""
    rows = [
        {
            "path": route.path if route.exact else f"{route.path.rstrip('/')}/…",
            "methods": " ".join(route.methods) or "all",
            "service": route.service,
            "route": route.name,
            "auth": route.auth,
            "timeout": seconds(route.timeout_ms),
        }
        for route in table_
    ]
    return table(rows)


def explanation(said: Explanation) -> str:
    """Say what becomes of one request: who gets it and why, or how the gateway answers."""
    head = f"{said.method} {said.path}"
    if said.route is None:
        allow = f"Allow: {', '.join(said.allow)}" if said.allow else ""
        return "\n".join(
            filter(None, [f"{head} -> {said.status} from the gateway", said.reason, allow])
        )
    route = said.route
    lines = [
        f"{head} -> {route.service} (route {route.name})",
        f"won by: {said.reason}",
        *(f"passed over: {other}" for other in said.passed_over),
        f"authentication: {route.auth}",
        f"timeout: {seconds(route.timeout_ms)}, tried up to {route.attempts} times",
    ]
    return "\n".join(lines)


def replicas(running: Iterable[Replica]) -> str:
    """Show what runs, one replica a line."""
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


def demo(shown: DemoResult) -> str:
    """Show what was made and what it answered, as a person would have typed it."""
    fleet = shown.fleet
    lines = [f"\n{fleet.url} ({fleet.engine}: {fleet.why})", "", routes(fleet.routes)]
    for answer in shown.answers:
        body = json.dumps(answer.body, ensure_ascii=False)
        lines += ["", f"{answer.method} {answer.path}", f"{answer.status} {body}"]
    return "\n".join(lines)


def log_line(line: LogLine) -> str:
    """Put the replica's name before what it wrote."""
    return f"{line.service}-{line.number} | {line.text}"


def seconds(milliseconds: int) -> str:
    """Write a duration as a person does: 1500 is `1.5s`."""
    return f"{milliseconds / 1000:g}s"


def tree(name: str, files: Iterable[str]) -> str:
    """Draw files, given as relative paths, below the folder that holds them."""
    branches: dict[str, Any] = {}
    for file in files:
        branch = branches
        for part in PurePath(file).parts:
            branch = branch.setdefault(part, {})
    return "\n".join([f"{name}/", *_branches(branches, "")])


def _branches(branches: dict[str, Any], indent: str) -> Iterable[str]:
    # Folders stand after the files beside them, so that a file's folder is the line above.
    names = sorted(branches, key=lambda name: (bool(branches[name]), name))
    for name in names:
        last = name == names[-1]
        yield f"{indent}{'└── ' if last else '├── '}{name}{'/' if branches[name] else ''}"
        yield from _branches(branches[name], indent + ("    " if last else "│   "))


def template_faults(checked: CheckResult) -> str:
    """List what breaks a rule, a line each, with the answers that show it."""
    lines = [
        f"{fault.path}: {fault.rule}: {fault.problem}"
        + (f" ({fault.answers})" if fault.answers else "")
        for fault in checked.faults
    ]
    refused = f", {checked.refused} of them refused by its validators" if checked.refused else ""
    count = counted(len(lines), "fault")
    tried = f"{checked.tried} combinations of answers"
    if checked.tried < checked.possible:
        tried = f"{checked.tried} of {checked.possible} combinations, with every pair of choices"
    return "\n".join([*lines, f"{tried}{refused}: {count}"])


def template_begun(made: InitResult, folder: str) -> str:
    """Say what was begun, and what to type next."""
    return (
        f"{folder} holds svcgen's template {made.version}, on main and on {made.upstream}.\n"
        f"Next: cd {folder}, change it, and svcgen template check"
    )


def template_upgraded(done: UpgradeResult) -> str:
    """Say that a release was merged, or what there is to decide."""
    if not done.conflicts:
        return f"{done.branch} has svcgen's {done.version} now.\nNext: svcgen template check"
    return "\n".join(
        [
            f"{done.version} and {done.branch} both changed:",
            *(f"  {path}" for path in done.conflicts),
            "Edit each to what it should be, then: git add . && git commit",
            "Or go back to where you were: git merge --abort",
        ]
    )


def template_released(done: ReleaseResult) -> str:
    """Say that a version was tagged, or why it was not."""
    said = template_faults(done.checked)
    if done.checked.faults:
        return f"{said}\n{done.version} was not tagged."
    return f"{said}\n{done.version} is tagged.\nNext: git push origin {done.version}"


def _padded(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, PurePath) else value
