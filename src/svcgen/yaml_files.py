"""YAML files, read strictly and within limits: the one place that knows PyYAML.

A file may be someone else's. It is a regular file of at most 16 MiB, is nested at most 100 levels
deep, and its aliases stand for at most 100,000 nodes: a text of 500 bytes can stand for billions.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from svcgen.errors import SvcgenError
from svcgen.files import read_file

_DEEPEST, _LARGEST = 100, 100_000


def read_yaml(path: Path) -> Any:
    """Read one YAML document; an empty file is None.

    Raises SvcgenError with file and line when the text is not YAML, and for a missing file.
    """
    import yaml

    try:
        return yaml.load(read_file(path).decode(), Loader=_loader())  # noqa: S506 (a safe loader)
    except FileNotFoundError as error:
        raise SvcgenError(f"There is no file {path}.") from error
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise SvcgenError(f"{path} cannot be read: {error}", "Correct the file.") from error


def read_documents(path: Path) -> list[Any]:
    """Read all YAML documents of a file; `!include PATTERN` is a list of those of other files.

    Patterns are relative to the file's folder, as in Copier's copier.yml. Raises SvcgenError when
    one of the files is not YAML.
    """
    import yaml

    class Loader(_loader()):  # type: ignore[misc] # a class chosen at run time
        def include(self, node: Any) -> list[Any]:
            files = sorted(path.parent.glob(str(self.construct_scalar(node))))
            return [document for file in files for document in read_documents(file)]

    Loader.add_constructor("!include", Loader.include)
    try:
        return list(yaml.load_all(read_file(path).decode(), Loader=Loader))
    except (OSError, ValueError, RecursionError, NotImplementedError, yaml.YAMLError) as error:
        raise SvcgenError(f"{path} cannot be read: {error}", "Correct the file.") from error


def as_yaml(values: dict[str, Any], *, sort: bool = True) -> str:
    """Return a mapping as YAML in block style; text that YAML reads as another type is quoted."""
    import yaml

    return str(yaml.safe_dump(values, allow_unicode=True, sort_keys=sort))


@cache
def _loader() -> Any:
    """Return PyYAML's parser, in C where available (ten times as fast), that refuses double keys.

    Keys are unique in YAML 1.2, section 3.2.1.1; PyYAML would silently keep the last one, and lose
    a route.
    """
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc] # a class chosen at run time
        def get_single_node(self) -> Any:
            return _within_limits(super().get_single_node())

        def get_node(self) -> Any:
            return _within_limits(super().get_node())

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            keys = [key.value for key, _value in node.value if isinstance(key.value, str)]
            for key in {key for key in keys if keys.count(key) > 1} - {"<<"}:
                raise yaml.constructor.ConstructorError(
                    None, None, f'the key "{key}" exists twice', node.start_mark
                )
            return super().construct_mapping(node, deep)

    return Loader


def _within_limits(root: Any) -> Any:
    """Return a document's root node; raise a YAMLError when it is too deep or too large."""
    import yaml

    sizes: dict[int, int] = {}  # of each finished node, with all that its aliases stand for
    open_: set[int] = set()
    pending = [(root, False)] if root is not None else []
    while pending:
        node, entered = pending.pop()
        children = _children(node)
        if not entered:
            if id(node) in open_:
                raise yaml.YAMLError("an alias stands for what contains it")
            if id(node) in sizes:
                continue
            open_.add(id(node))
            if len(open_) > _DEEPEST:
                raise yaml.YAMLError(f"it is nested more than {_DEEPEST} levels deep")
            pending += [(node, True), *((child, False) for child in children)]
            continue
        open_.discard(id(node))
        sizes[id(node)] = 1 + sum(sizes[id(child)] for child in children)
        if sizes[id(node)] > _LARGEST and sizes[id(node)] > 2 * len(sizes):
            raise yaml.YAMLError(f"its aliases stand for more than {_LARGEST} nodes")
    return root


def _children(node: Any) -> list[Any]:
    if isinstance(node.value, str):
        return []
    return [
        part for child in node.value for part in (child if isinstance(child, tuple) else (child,))
    ]


def parse_node(text: str) -> Any:
    """Return the root node of a YAML text, with the position of each node in the text.

    Raises SvcgenError when the text is not YAML.
    """
    import yaml

    try:
        return yaml.compose(text, Loader=_tolerant_loader())
    except (ValueError, yaml.YAMLError) as error:
        raise SvcgenError(str(error)) from error


def parse_documents(text: str) -> list[Any]:
    """Read all YAML documents of a text, ignoring tags.

    Raises SvcgenError with the line when the text is not YAML, or has a key twice.
    """
    import yaml

    try:
        return list(yaml.load_all(text, Loader=_tolerant_loader()))
    except (ValueError, yaml.YAMLError) as error:
        raise SvcgenError(str(error)) from error


@cache
def _tolerant_loader() -> Any:
    """Return the parser for files of other programs, which ignores their tags (`!Ref`)."""
    import yaml

    class Loader(_loader()):  # type: ignore[misc] # a class chosen at run time
        pass

    def untagged(loader: Any, _suffix: str, node: Any) -> Any:
        if isinstance(node, yaml.MappingNode):
            return loader.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return loader.construct_sequence(node, deep=True)
        return node.value

    Loader.add_multi_constructor("!", untagged)
    return Loader
