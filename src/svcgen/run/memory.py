"""What `svcgen up` remembers of a workspace: engine, port of the gateway, and Compose project.

It is in `.svcgen/`, and stays after `svcgen down`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from svcgen.files import read_text, write_atomic
from svcgen.workspace import STATE_FOLDER, state_folder

FILE = "workspace.json"


@dataclass(frozen=True)
class Memory:
    """The last `svcgen up`: its engine, the port of `--port`, and the Compose project.

    `configured` is the port that svcgen.yaml had at that time. A port that was changed there since
    counts more than the option of an earlier command.
    """

    engine: str = ""
    port: int | None = None
    configured: int = 0
    project: str = ""


def recall(root: Path) -> Memory:
    """Return what is remembered of a workspace; nothing of the one that it is a copy of."""
    try:
        content = json.loads(read_text(root / STATE_FOLDER / FILE) or "{}")
        written_in = Path(content.pop("root"))
        memory = Memory(**content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Memory()  # nothing was remembered, or another program wrote it
    copied = written_in != root and (written_in / STATE_FOLDER / FILE).exists()
    return Memory() if copied else memory


def last_port(root: Path, configured: int) -> int | None:
    """Return the port of the last `svcgen up --port`, unless that of svcgen.yaml changed since."""
    memory = recall(root)
    return memory.port if memory.configured == configured else None


def remember(root: Path, **changed: Any) -> None:
    """Store the given fields of Memory, and keep the others."""
    memory = replace(recall(root), **changed)
    text = json.dumps({"root": str(root), **asdict(memory)}, indent=2)
    write_atomic(state_folder(root) / FILE, text)
