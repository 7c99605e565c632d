"""Values as text: tables and trees for people, one JSON document for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from svcgen.commands.compose import Composed
    from svcgen.commands.demo import Demo
    from svcgen.gateway.routes import Explanation, Route
    from svcgen.run.engine import LogLine, Replica


def document(value: Any) -> str:
    """Write a result as one JSON document; paths are strings, data classes are objects."""
    return json.dumps(_plain(value), indent=2, ensure_ascii=False)


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Align rows under the names of their keys."""
    if not rows:
        return ""
    lines = [[name.upper() for name in rows[0]]]
    lines += [[str(cell) for cell in row.values()] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_padded(line, widths) for line in lines)


def composed(done: Composed) -> str:
    """Say what was stitched, which files were written, and what is to be made of them."""
    lines = [f"{len(done.services)} services, {done.routes} routes at the gateway"]
    lines += [f"  wrote {file}" for file in done.written] or ["  all was current"]
    if done.refreshed:
        lines.append(f"Next: make generate, in {', '.join(done.refreshed)}")
    return "\n".join(lines)


def checked(done: Composed) -> str:
    """Show how the files differ from what would be written, if that can be said."""
    if done.faults:
        return "Nothing to compare: the services do not fit together."
    return "".join(done.differences.values()) or "compose.yaml and gateway/ are current"


def complaints(done: Composed) -> str:
    """List what does not fit, a line each; empty when all does."""
    found = [*done.faults, *done.broken]
    if not found:
        return ""
    lines = ["1 fault:" if len(found) == 1 else f"{len(found)} faults:"]
    lines += [f"  {fault}" for fault in found]
    if done.broken:
        lines.append("Mend the callee, or let the caller follow it: svcgen compose --refresh")
    return "\n".join(lines) + "\n"


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


def demo(shown: Demo) -> str:
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
