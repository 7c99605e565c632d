"""What the owners of services do to them, drawn from a fixed seed."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from random import Random
from string import ascii_lowercase

from tests.support.fleet import lines
from tests.support.fleet.tree import File, Tree, is_text

CODE = {".py", ".go", ".ts", ".java", ".sql"}
MANIFESTS = ("pyproject.toml", "go.mod", "package.json", "pom.xml")
# Who changes these has another service.
_NEVER = {".copier-answers.yml", "chart/registration.yaml", "chart/Chart.yaml"}
# A dependency that some owners have before the template has it.
ADOPTED = "otel-extras"
_ADOPTED_LATER = 0.25
_IN_CHANGED_FILES = 0.6
_CHECKED_OUT_WITH_CRLF = 0.05


@dataclass(frozen=True)
class Edit:
    """One thing that a service's owner did, and to which file."""

    kind: str
    path: str


@dataclass(frozen=True)
class Drawn:
    """A service while its owner works on it; `changed` is what the template changes as well."""

    tree: Tree
    changed: Collection[str]
    name: str
    draw: Random
    number: int = 0

    @property
    def word(self) -> str:
        """What no other edit of any service says."""
        return f"edit {self.number} of {self.name}"

    def one_of(self, fits: Callable[[str], bool]) -> str:
        """Choose a file, oftener one that the template changes too; empty when none fits."""
        fitting = sorted(path for path in self.tree if fits(path) and path not in _NEVER)
        both = [path for path in fitting if path in self.changed]
        chosen = both if both and self.draw.random() < _IN_CHANGED_FILES else fitting
        return self.draw.choice(chosen) if chosen else ""


def edit(
    rendered: Mapping[str, File], changed: Collection[str], name: str
) -> tuple[Tree, list[Edit]]:
    """Return a service as its owner has it, and what was done to it."""
    draw = Random(name)
    service, done = Drawn(dict(rendered), changed, name, draw), []
    for number in range(draw.randint(3, 8)):
        kind = draw.choices(list(_KINDS), [weight for _, weight in _KINDS.values()])[0]
        tree, path = _KINDS[kind][0](replace(service, number=number))
        service = replace(service, tree=tree)
        done += [Edit(kind, path)] if path else []
    return _checked_out(service.tree, draw), done


def _checked_out(tree: Tree, draw: Random) -> Tree:
    if draw.random() > _CHECKED_OUT_WITH_CRLF:
        return tree
    return {path: _with_crlf(file) if is_text(file) else file for path, file in tree.items()}


def _with_crlf(file: File) -> File:
    return replace(file, content=file.content.replace(b"\n", b"\r\n"))


def _lines(service: Drawn, fits: Callable[[str], bool]) -> tuple[Tree, str]:
    path = service.one_of(
        lambda one: fits(one) and lines.can_change(one) and is_text(service.tree[one])
    )
    if not path:
        return service.tree, ""
    how = service.draw.choice((lines.insert, lines.insert, lines.change, lines.delete))
    return _written(service, path, how), path


def _written(service: Drawn, path: str, how: Callable[..., lines.Lines]) -> Tree:
    text = service.tree[path].content.decode().split("\n")
    filled = [number for number, line in enumerate(text) if line] or [0]
    at = service.draw.choice(filled)
    after = "\n".join(how(text, path, at, service.word, service.draw))
    return {**service.tree, path: replace(service.tree[path], content=after.encode())}


def _code(service: Drawn) -> tuple[Tree, str]:
    return _lines(service, lambda path: PurePosixPath(path).suffix in CODE)


def _chart(service: Drawn) -> tuple[Tree, str]:
    return _lines(service, lambda path: path.startswith("chart/"))


def _image(service: Drawn) -> tuple[Tree, str]:
    return _lines(
        service,
        lambda path: "/" not in path and PurePosixPath(path).suffix in {"", ".yaml", ".ini", ".sh"},
    )


def _prose(service: Drawn) -> tuple[Tree, str]:
    return _lines(service, lambda path: path == "README.md")


def _move(service: Drawn) -> tuple[Tree, str]:
    path = service.one_of(lambda one: PurePosixPath(one).suffix in CODE)
    return (_written(service, path, lines.move), path) if path else (service.tree, "")


def _dependency(service: Drawn) -> tuple[Tree, str]:
    path = next((path for path in MANIFESTS if path in service.tree), "")
    if not path:
        return service.tree, ""
    text = service.tree[path].content.decode()
    if service.draw.random() < 0.5:
        name = service.draw.choice(_RAISED[path])
        after = service.draw.choice(_OTHER_VERSIONS)(text, name, service.draw)
    else:
        own = f"{service.draw.choice(ascii_lowercase)}-{re.sub(r'[^a-z0-9]', '-', service.word)}"
        name = own if service.draw.random() > _ADOPTED_LATER else ADOPTED
        after = lines.add_dependency(text, path, name, service.draw)
    return {**service.tree, path: replace(service.tree[path], content=after.encode())}, path


def _raise(text: str, name: str, draw: Random) -> str:
    return lines.bump(text, name, draw.randint(1, 9))


_OTHER_VERSIONS: tuple[Callable[[str, str, Random], str], ...] = (
    _raise,
    _raise,
    lambda text, name, draw: lines.bump(text, name, -draw.randint(1, 3)),
    lambda text, name, _: lines.cap(text, name),
    lambda text, name, _: lines.pin(text, name),
)
# What owners raise: some that the template raises too, to a higher or a lower version, and others.
_RAISED = {
    "pyproject.toml": ("fastapi", "uvicorn", "ruff"),
    "go.mod": ("github.com/google/uuid", "github.com/go-logr/logr"),
    "package.json": ('"fastify"', '"undici"'),
    "pom.xml": ("palantir.version", "<version"),
}


def _delete(service: Drawn) -> tuple[Tree, str]:
    path = service.one_of(lambda one: one not in MANIFESTS)
    return {one: file for one, file in service.tree.items() if one != path}, path


def _new(service: Drawn) -> tuple[Tree, str]:
    path = service.draw.choice(
        ("docs/operations.md", "docs/runbook.md", "scripts/seed.sh", ".editorconfig")
    )
    text = f"{lines.remark(path, service.word)}\n"
    if path in service.tree or path.partition("/")[0] in service.tree:
        return service.tree, ""
    return {**service.tree, path: File(text.encode(), executable=path.endswith(".sh"))}, path


def _executable(service: Drawn) -> tuple[Tree, str]:
    path = service.one_of(lambda one: PurePosixPath(one).suffix in CODE)
    if not path:
        return service.tree, ""
    return {**service.tree, path: replace(service.tree[path], executable=True)}, path


def _no_text(service: Drawn) -> tuple[Tree, str]:
    """Draw another picture, or lead a link elsewhere, where the template has one."""
    path = service.one_of(lambda one: not is_text(service.tree[one]))
    if not path:
        return service.tree, ""
    file = service.tree[path]
    other = b"elsewhere" if file.link else file.content + service.word.encode()
    return {**service.tree, path: replace(file, content=other)}, path


_KINDS: dict[str, tuple[Callable[[Drawn], tuple[Tree, str]], int]] = {
    "code": (_code, 30),
    "chart": (_chart, 15),
    "image": (_image, 15),
    "dependency": (_dependency, 12),
    "prose": (_prose, 6),
    "move": (_move, 7),
    "deletion": (_delete, 7),
    "new file": (_new, 6),
    "mode": (_executable, 2),
    "no text": (_no_text, 8),
}
