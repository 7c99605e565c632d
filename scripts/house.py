"""Measure a checkout of svcgen: its modules and functions, and how many of them a command enters.

`python -m scripts.house` measures this repository, `--tree DIR` another checkout. The commands run
with the interpreter of this script, so run it with `.venv/bin/python`. Nothing but
`python -m svcgen` is taken from the measured tree, so trees of any layout can be compared.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from scripts.entered import PACKAGE, Entered, Sandbox, Skipped, run_commands

SMALL = 40  # lines: below this a module should be an interface, or part of another module

Graph = Mapping[str, Collection[str]]


@dataclass(frozen=True)
class Module:
    """One source file: its dotted name, its number of lines and its syntax tree."""

    name: str
    lines: int
    tree: ast.Module


@dataclass(frozen=True)
class Measurement:
    """Everything that is measured; the fields are the keys of --json.

    `cycles` holds strongly connected modules: by imports at the top level of modules alone, then
    with imports inside functions added, then with those under TYPE_CHECKING added too.
    `repeated_classes` has the modules of each class name that is defined more than once.
    """

    modules: int
    lines: int
    median_module: float
    largest_module: str
    largest_module_lines: int
    modules_below_40_lines: int
    functions: int
    lines_per_function: float
    private_functions_used_once: int
    private_functions_used_once_share: float
    cycles: dict[str, list[list[str]]]
    repeated_classes: dict[str, list[str]]
    entered: dict[str, Entered | Skipped]


def read_modules(source: Path) -> list[Module]:
    """Parse every module below `source`, in the order of their names."""
    modules = []
    for path in sorted((source / PACKAGE).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        parts = path.relative_to(source).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        modules.append(Module(name, len(text.splitlines()), ast.parse(text)))
    return modules


def functions_of(module: Module) -> list[str]:
    """Return the names of all functions and methods, nested ones included, lambdas left out."""
    nodes = ast.walk(module.tree)
    return [n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


def private_used_once(module: Module) -> int:
    """Count private functions whose name is used exactly once in the module that defines them."""
    used: Counter[str] = Counter()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Name):
            used[node.id] += 1
        elif isinstance(node, ast.Attribute):
            used[node.attr] += 1
    defined = Counter(n for n in functions_of(module) if n.startswith("_") and n[:2] != "__")
    return sum(count for name, count in defined.items() if used[name] == count)


def imports_of(node: ast.AST, place: str = "top") -> Iterator[tuple[str, str]]:
    """Yield each imported name with its place: `top`, `function` or `typing`."""
    if isinstance(node, ast.ImportFrom):
        yield from ((f"{node.module}.{alias.name}", place) for alias in node.names)
    elif isinstance(node, ast.Import):
        yield from ((alias.name, place) for alias in node.names)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and place == "top":
        place = "function"
    elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
        for statement in node.body:
            yield from imports_of(statement, "typing")
        for statement in node.orelse:
            yield from imports_of(statement, place)
        return
    for child in ast.iter_child_nodes(node):
        yield from imports_of(child, place)


def import_graph(modules: list[Module], places: Collection[str]) -> Graph:
    """Return which modules each module imports in these places; packages above it do not count."""
    names = {module.name for module in modules}
    graph: dict[str, set[str]] = {name: set() for name in names}
    for module in modules:
        for imported, place in imports_of(module.tree):
            target = imported if imported in names else imported.rpartition(".")[0]
            if place in places and target in names and target != module.name:
                graph[module.name].add(target)
    return graph


def import_cycles(graph: Graph) -> list[list[str]]:
    """Return the strongly connected components of more than one module."""
    reached = {name: reachable(graph, name) for name in graph}
    components = {
        tuple(sorted(other for other in reached[name] if name in reached[other])) for name in graph
    }
    return sorted(list(component) for component in components if len(component) > 1)


def reachable(graph: Graph, start: str) -> set[str]:
    """Return every module that the imports of `start` lead to, itself if they lead back to it."""
    found: set[str] = set()
    waiting = [*graph[start]]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(graph[name])
    return found


def repeated_classes(modules: list[Module]) -> dict[str, list[str]]:
    """Return the modules of each class name that is defined more than once."""
    found = defaultdict(list)
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                found[node.name].append(module.name)
    return {name: found[name] for name in sorted(found) if len(found[name]) > 1}


def measure(tree: Path) -> Measurement:
    """Measure a checkout; its commands run in a temporary folder."""
    source = tree.resolve() / "src"
    modules = read_modules(source)
    if not modules:
        sys.exit(f"{tree} has no src/{PACKAGE}. Name a checkout of svcgen: --tree DIR")
    lines = [module.lines for module in modules]
    largest = max(modules, key=lambda module: module.lines)
    functions = sum(len(functions_of(module)) for module in modules)
    once = sum(map(private_used_once, modules))
    places = {
        "top level": ("top",),
        "and in functions": ("top", "function"),
        "and TYPE_CHECKING": ("top", "function", "typing"),
    }
    cycles = {kind: import_cycles(import_graph(modules, where)) for kind, where in places.items()}
    with tempfile.TemporaryDirectory() as folder:
        entered = run_commands(Sandbox(Path(folder).resolve(), source))
    return Measurement(
        len(modules), sum(lines), median(lines), largest.name, largest.lines,
        sum(count < SMALL for count in lines),
        functions, round(sum(lines) / functions, 1), once, round(once / functions, 3),
        cycles, repeated_classes(modules), entered,
    )  # fmt: skip


def show(found: Measurement) -> Iterator[str]:
    """Yield the measurement as lines of text."""
    share = f"{found.private_functions_used_once_share:.0%}"
    rows = {
        "modules": found.modules,
        "lines": found.lines,
        "median module": f"{found.median_module:g} lines",
        "largest module": f"{found.largest_module_lines} lines ({found.largest_module})",
        f"modules below {SMALL} lines": found.modules_below_40_lines,
        "functions": found.functions,
        "lines per function": found.lines_per_function,
        "private functions used once": f"{found.private_functions_used_once} ({share})",
    }
    yield from (f"{name:<28} {value}" for name, value in rows.items())
    for kind, cycles in found.cycles.items():
        yield f"{'import cycles, ' + kind:<34} {len(cycles)}"
        yield from (f"  {' '.join(cycle)}" for cycle in cycles)
    yield f"class names defined more than once: {len(found.repeated_classes)}"
    yield from (f"  {name}: {' '.join(where)}" for name, where in found.repeated_classes.items())
    for command, result in found.entered.items():
        if isinstance(result, Skipped):
            yield f"{command:<12} not measured: {result.reason}"
        else:
            counts = f"{result.functions} functions in {result.modules} modules"
            yield f"{command:<12} {counts} ({result.with_class_bodies} with class bodies)"


def main() -> None:
    """Print the measurement of a checkout."""
    parser = argparse.ArgumentParser(description="Measure a checkout of svcgen.")
    default = Path(__file__).resolve().parents[1]
    parser.add_argument("--tree", type=Path, metavar="DIR", default=default, help="Which checkout.")
    parser.add_argument("--json", action="store_true", help="Print JSON.")
    arguments = parser.parse_args()
    found = measure(arguments.tree)
    print(json.dumps(asdict(found), indent=2) if arguments.json else "\n".join(show(found)))


if __name__ == "__main__":
    main()
