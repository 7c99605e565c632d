"""AGENTS.md at the root of a workspace: commands and rules for programs that change its services.

See https://agents.md. Each service has an AGENTS.md, too, from its template.
"""

from __future__ import annotations

from pathlib import Path

from svcgen.files import read_text

AGENTS_FILE = "AGENTS.md"
_MARK = "<!-- Written by `svcgen compose`. Delete this line to keep a text that you write. -->"
_TEXT = f"""\
{_MARK}
# Commands and rules of this workspace

Each service is a folder with an AGENTS.md, which applies there.

## Commands

```
svcgen list                 # the services, their stacks and folders
svcgen new NAME --stack go  # create a service; `svcgen questions` lists all answers
svcgen up                   # run all services behind the gateway; `svcgen up NAME` replaces one
svcgen env NAME             # the variables of a service, for commands in its folder
svcgen run NAME -- COMMAND  # serve it by a process of the terminal, in the running fleet
svcgen update NAME          # merge a newer template into a service
svcgen rename OLD NEW       # also: svcgen remove NAME, svcgen adopt FOLDER
svcgen logs NAME --tail 50
svcgen routes PATH          # which route a request takes, and why
svcgen compose              # write compose.yaml, gateway/ and chart/callers.yaml after a change
svcgen compose --check      # before a commit: do the services fit together?
svcgen verify NAME          # does a service keep the contract?
svcgen doctor               # what this machine lacks
```

Each command has `--help` and `--json`. It exits with 0 when done, 1 for an error, 2 for wrong usage
and 3 if something was found.

## Rules

- `compose.yaml` and `gateway/` are generated: change the services or `svcgen.yaml`, then run
  `svcgen compose` and commit the result.
- A service uses the API of another one, never its code or its database. `calls` in
  `chart/registration.yaml` names what it calls.
- A change of an API must not break its callers: `svcgen compose --check` names what it breaks.
- `svcgen drift` lists edits in files that the template manages. Prefer files of the owner.
"""


def agents_files(root: Path) -> dict[str, str]:
    """Return the file to write, by its path; none where the owner of the workspace has a text."""
    current = read_text(root / AGENTS_FILE)
    return {AGENTS_FILE: _TEXT} if current is None or current.startswith(_MARK) else {}
