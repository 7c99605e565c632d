"""Pages whose commands a test runs: each prints what the page shows.

In a ```console block a line after `$ ` is a command; what follows is its output. `…` is text that
differs from run to run. A page is one session: `cd`, variables and files last. A block such as
```python file=src/app/orders.py is written to that file.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.repository import REPOSITORY
from tests.support.run import SOMEBODY

BIN = Path(sys.executable).parent
BLOCK = re.compile(r"^```(?:console|\w+ file=(\S+))\n(.*?)^```$", re.MULTILINE | re.DOTALL)
END = "--- end of output"


@dataclass(frozen=True)
class Typed:
    command: str
    output: str


def typed(page: str) -> Iterator[Typed]:
    for file, block in BLOCK.findall((REPOSITORY / page).read_text()):
        if file:
            yield Typed(f"cat > {file} <<'END OF FILE'\n{block}END OF FILE", "")
            continue
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            while command.endswith("\\"):
                more, _, output = output.partition("\n")
                command = command[:-1] + more
            yield Typed(command, output)


def pattern(expected: str) -> str:
    """A regular expression for a page's output: `…` is anything, trailing blanks do not count."""
    lines = (line.rstrip() for line in expected.strip().splitlines())
    return "\n".join(re.escape(line).replace("…", ".*?") for line in lines)


def play(page: str, folder: Path, at_the_end: str = "") -> None:
    """Type what a page shows, in a folder, and compare what is printed with what is shown."""
    path = f"{BIN}:{os.environ['PATH']}"
    with subprocess.Popen(
        ["bash"],
        cwd=folder,
        env={**os.environ, **SOMEBODY, "PATH": path, "TERM": "dumb", "CI": "true"},
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as shell:
        try:
            for step in typed(page):
                printed = run(shell, step.command)
                assert re.fullmatch(pattern(step.output), printed, re.DOTALL), (
                    f"$ {step.command}\n--- the page shows\n{step.output}\n--- it prints\n{printed}"
                )
        finally:
            run(shell, at_the_end)
            shell.kill()


def run(shell: subprocess.Popen[str], command: str) -> str:
    assert shell.stdin
    assert shell.stdout
    # Not the shell's own input: a program that reads it would take the commands that follow.
    shell.stdin.write(f"{{ {command}\n}} </dev/null\necho; echo '{END}'\n")
    shell.stdin.flush()
    lines: list[str] = []
    for line in shell.stdout:
        if line.strip() == END:
            break
        lines.append(line.rstrip())
    return "\n".join(lines).strip()
