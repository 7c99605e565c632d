"""YAML files, read strictly: the one place that knows PyYAML."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from svcgen.errors import SvcgenError


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
