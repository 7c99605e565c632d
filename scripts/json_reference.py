"""docs/reference/json.md, the documents of `--json`: `python scripts/json_reference.py` prints it.

Fields and their meaning come from svcgen.cli.documents, the examples from tests/cli/snapshots.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from svcgen.cli.documents import (
    VERSION,
    certificates,
    fleet,
    keys,
    live,
    membership,
    routes,
    services,
    template,
    updates,
)

SNAPSHOTS = Path(__file__).parents[1] / "tests" / "cli" / "snapshots"
COMMANDS: Mapping[str, type] = {
    "new": services.NewDocument,
    "adopt": membership.AdoptDocument,
    "questions": services.QuestionsDocument,
    "demo": services.DemoDocument,
    "compose": fleet.ComposeDocument,
    "up": fleet.UpDocument,
    "down": fleet.DownDocument,
    "ps": fleet.PsDocument,
    "logs": fleet.LogsDocument,
    "restart": fleet.RestartDocument,
    "env": fleet.EnvDocument,
    "key add": keys.KeyAddedDocument,
    "key list": keys.KeysDocument,
    "key revoke": keys.KeyRevokedDocument,
    "token": fleet.TokenDocument,
    "cert": certificates.CertDocument,
    "list": services.ListDocument,
    "list --outdated": services.OutdatedDocument,
    "list --graph": services.GraphDocument,
    "routes": routes.RoutesDocument,
    "routes PATH": routes.RouteDocument,
    "routes --live": live.LiveDocument,
    "drift": updates.DriftDocument,
    "verify": services.VerifyDocument,
    "doctor": services.DoctorDocument,
    "update": updates.UpdateDocument,
    "reconfigure": updates.UpdateDocument,
    "rename": membership.RenameDocument,
    "remove": membership.RemoveDocument,
    "template versions": template.VersionsDocument,
    "template check": template.CheckDocument,
    "template init": template.InitDocument,
    "template upgrade": template.UpgradeDocument,
    "template release": template.ReleaseDocument,
}
HEAD = f"""\
# JSON documents

With `--json`, a command prints one JSON object to standard output and nothing else. Progress and
errors go to standard error. [Exit codes](exit-codes.md) are the same as without `--json`. A command
that fails with exit code 1 before it has a result prints no document.

Each document has the field `version`, which is {VERSION}. A later release of svcgen may add fields.
If it removes a field or changes the meaning of one, `version` increases.

`make docs` writes this page. In the tables, `a[].b` is the field `b` of each object in the list
`a`. Words in capitals in the examples stand for paths and versions, `…` for a sentence.
"""
NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", Any: "any"}


def json_reference() -> str:
    """Return the page."""
    return "\n".join([HEAD, *map(_section, COMMANDS)])


def snapshot(command: str) -> Path:
    """Return the file with the example of a command."""
    return SNAPSHOTS / f"{command.replace(' --', '-').replace(' ', '-').lower()}.json"


def _section(command: str) -> str:
    document = COMMANDS[command]
    rows = [("version", "integer", f"Version of the document: {VERSION}."), *_fields(document)]
    table = "\n".join(f"| `{name}` | {kind} | {meaning} |" for name, kind, meaning in rows)
    return f"""\
## svcgen {command}

{document.__doc__}

| field | type | meaning |
| --- | --- | --- |
{table}

```json
{snapshot(command).read_text(encoding="utf-8").strip()}
```
"""


def _fields(document: type, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    for name, hint in get_type_hints(document, include_extras=True).items():
        if get_origin(hint) is not Annotated:
            raise TypeError(f"{document.__name__}.{name} has no meaning")
        annotated, meaning = get_args(hint)
        kind, nested, suffix = _described(annotated)
        yield prefix + name, kind, meaning
        if nested:
            yield from _fields(nested, f"{prefix}{name}{suffix}.")


def _described(hint: Any) -> tuple[str, type | None, str]:
    """Return the name of a type, the dataclass in it, and how a path goes on to its fields."""
    arguments = get_args(hint)
    if get_origin(hint) is tuple:
        kind, nested, _suffix = _described(arguments[0])
        return f"list of {kind}s", nested, "[]"
    if isinstance(hint, UnionType):
        (inner,) = (argument for argument in arguments if argument is not NoneType)
        kind, nested, suffix = _described(inner)
        return f"{kind} or null", nested, suffix
    if get_origin(hint) is Mapping:
        return "object of strings", None, ""
    if is_dataclass(hint):
        return "object", hint if isinstance(hint, type) else None, ""
    return NAMES[hint], None, ""


if __name__ == "__main__":
    sys.stdout.write(json_reference())
