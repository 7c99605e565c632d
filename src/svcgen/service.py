"""A service on disk: a folder with Copier's answers file and a registration."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from svcgen.errors import SvcgenError

ANSWERS_FILE = ".copier-answers.yml"
REGISTRATION_FILE = "chart/registration.yaml"


@dataclass(frozen=True)
class Service:
    """What the answers file of one service says: facts of the time it was made or last updated."""

    name: str
    folder: Path
    stack: str
    kind: str
    database: str
    calls: tuple[str, ...]
    template: str
    version: str

    @property
    def registration(self) -> Path:
        """The file with the facts of run time: routes, auth, limits, timeouts, calls."""
        return self.folder / REGISTRATION_FILE

    @property
    def openapi(self) -> Path:
        """The committed copy of what `/openapi.json` answers."""
        return self.folder / "openapi.json"


def is_service(folder: Path) -> bool:
    """Tell whether a folder holds a service of ours; one that is closed to us does not."""
    try:
        return (folder / ANSWERS_FILE).is_file() and (folder / REGISTRATION_FILE).is_file()
    except PermissionError:
        return False


def read_service(folder: Path) -> Service:
    """Read the service in a folder.

    Raises SvcgenError when its answers file cannot be read as one.
    """
    answers = read_answers(folder / ANSWERS_FILE)
    try:
        return Service(
            name=str(answers["name"]),
            folder=folder,
            stack=str(answers["stack"]),
            kind=str(answers.get("kind", "http")),
            database=str(answers.get("database", "none")),
            calls=tuple(str(name) for name in answers.get("calls") or ()),
            template=str(answers.get("_src_path", "")),
            version=str(answers.get("_commit", "")),
        )
    except KeyError as missing:
        raise SvcgenError(
            f"{folder / ANSWERS_FILE} has no answer {missing}.",
            "Restore the file from version control.",
        ) from missing


def variable(name: str) -> str:
    """Spell a service's name as environment variables do: `order-items` is `ORDER_ITEMS`."""
    return name.upper().replace("-", "_")


def read_answers(path: Path) -> dict[str, Any]:
    """Read an answers file; SvcgenError when it holds no map of answers."""
    _refuse_markers(path)
    answers = read_yaml(path)
    if not isinstance(answers, dict):
        raise SvcgenError(f"{path} holds no answers.", "Restore the file from version control.")
    return answers


def _refuse_markers(path: Path) -> None:
    """Tell a merge by git that stopped here from a file that somebody broke."""
    lines = _lines(path)
    for number, line in enumerate(lines, 1):
        if line.startswith((b"<<<<<<< ", b">>>>>>> ")):
            raise SvcgenError(
                f"{path} has the conflict markers of a merge, from line {number} on.",
                "Keep the side with the newer `_commit`, then `svcgen update` the service.",
            )


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines()
    except OSError:  # whoever reads the answers says so
        return []


def read_yaml(path: Path) -> Any:
    """Read one YAML document; an empty file is None.

    Raises SvcgenError that names file and line when the text is not YAML, and when there is none.
    """
    import yaml

    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_loader())  # noqa: S506 (a safe loader)
    except FileNotFoundError as error:
        raise SvcgenError(f"There is no file {path}.") from error
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise SvcgenError(f"{path} cannot be read: {error}", "Correct the file.") from error


def read_documents(path: Path) -> list[Any]:
    """Read all YAML documents of a file; `!include PATTERN` is a list of those of the files named.

    Patterns are relative to the file's folder, as in Copier's copier.yml. Raises SvcgenError when
    one of the files is not YAML.
    """
    import yaml

    class Loader(_loader()):  # type: ignore[misc] # a parser of PyYAML's, in C or not
        def include(self, node: Any) -> list[Any]:
            files = sorted(path.parent.glob(str(self.construct_scalar(node))))
            return [document for file in files for document in read_documents(file)]

    Loader.add_constructor("!include", Loader.include)
    try:
        return list(yaml.load_all(path.read_text(encoding="utf-8"), Loader=Loader))
    except (OSError, ValueError, RecursionError, NotImplementedError, yaml.YAMLError) as error:
        raise SvcgenError(f"{path} cannot be read: {error}", "Correct the file.") from error


def as_yaml(values: dict[str, Any], *, sort: bool = True) -> str:
    """Write a mapping as YAML in block style; text that would read as something else is quoted."""
    import yaml

    return str(yaml.safe_dump(values, allow_unicode=True, sort_keys=sort))


@cache
def _loader() -> Any:
    """Return PyYAML's parser, in C where it has it (ten times as fast), told to refuse double keys.

    YAML 1.2, section 3.2.1.1, wants keys to be unique; PyYAML would keep the last one in silence,
    and with it lose a route.
    """
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc] # whichever of the two there is
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            written = [key.value for key, _value in node.value if isinstance(key.value, str)]
            for key in {key for key in written if written.count(key) > 1} - {"<<"}:
                raise yaml.constructor.ConstructorError(
                    None, None, f'the key "{key}" is there twice', node.start_mark
                )
            return super().construct_mapping(node, deep)

    return Loader


def parse_documents(text: str) -> list[Any]:
    """Read all YAML documents of a text; what has a tag of its own is read as if it had none.

    Raises SvcgenError that names the line when the text is not YAML, or has a key twice.
    """
    import yaml

    try:
        return list(yaml.load_all(text, Loader=_tolerant_loader()))
    except (ValueError, yaml.YAMLError) as error:
        raise SvcgenError(str(error)) from error


@cache
def _tolerant_loader() -> Any:
    """Return the same parser for files of other programs, whose tags (`!Ref`) it does not know."""
    import yaml

    class Loader(_loader()):  # type: ignore[misc] # whichever of the two there is
        pass

    def untagged(loader: Any, _suffix: str, node: Any) -> Any:
        if isinstance(node, yaml.MappingNode):
            return loader.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return loader.construct_sequence(node, deep=True)
        return node.value

    Loader.add_multi_constructor("!", untagged)
    return Loader
