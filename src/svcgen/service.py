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
    """Tell whether a folder holds a service of ours."""
    return (folder / ANSWERS_FILE).is_file() and (folder / REGISTRATION_FILE).is_file()


def read_service(folder: Path) -> Service:
    """Read the service in a folder.

    Raises SvcgenError when its answers file cannot be read as one.
    """
    answers = _read_answers(folder / ANSWERS_FILE)
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


def _read_answers(path: Path) -> dict[str, Any]:
    answers = read_yaml(path)
    if not isinstance(answers, dict):
        raise SvcgenError(f"{path} holds no answers.", "Restore the file from version control.")
    return answers


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


def as_yaml(values: dict[str, Any]) -> str:
    """Write a mapping as YAML in block style; text that would read as something else is quoted."""
    import yaml

    return str(yaml.safe_dump(values, allow_unicode=True))


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
