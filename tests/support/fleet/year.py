"""A year of edits by the owners of 60 services, and the release that they are updated to.

The shapes, and how many of 60 services have each, are those of a fleet that was observed. Owners
and the template's authors edit the same popular places: after `make build`, the end of an ignore
file, the labels of the image.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from random import Random

from tests.support.fleet.cases import CHOICES
from tests.support.fleet.edits import Edit
from tests.support.fleet.story import KIND as STORY
from tests.support.fleet.story import replace_example
from tests.support.fleet.tree import File, Tree

SERVICES = 60
OLD, NEXT = "v1.0.0", "v1.1.0"
# Four stacks in turn, so that 60 services are 15 of each.
IN_TURN = sorted(CHOICES, key=lambda choice: str(choice["database"]))
CI = ".github/workflows/ci.yml"
DEPLOYMENT = "chart/templates/deployment.yaml"
HELPERS = "chart/templates/_helpers.tpl"
PDB = "chart/templates/pdb.yaml"
_CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"
_LABEL = '    org.opencontainers.image.revision="${REVISION}"\n'
_READINESS = "readiness: {httpGet: {path: /readyz, port: http}, periodSeconds: 3, "

Change = tuple[str, str]
"""A text that occurs once in a file, and what replaces it."""


def _varied(name: str, *texts: str) -> str:
    """Return one of several ways to write an edit: each owner has another one."""
    return texts[int(name.removeprefix("svc")) % len(texts)].replace("NAME", name)


def _ignored(name: str) -> str:
    return _varied(name, "/data-NAME/\n", "\n# Editors of NAME\n.idea/\n*.iml\n", "*.NAME\n*.log\n")


def _own_step(name: str) -> str:
    return _varied(
        name,
        "      - run: docker compose push NAME\n",
        "      - name: Push NAME\n        run: docker compose push\n",
        "      # The registry of NAME\n"
        "      - uses: docker/login-action@v4\n        with: {registry: ghcr.io}\n",
        "      - name: Report the size of NAME\n"
        "        if: github.event_name == 'push'\n        run: |\n"
        "          docker image ls\n\n          docker system df\n",
    )


def _own_target(name: str) -> str:
    return _varied(
        name,
        "push-NAME: build ## push the image\n\t@docker compose push\n\n",
        ".PHONY: push-NAME\npush-NAME: build\n\t@docker compose push\n\n",
        "# NAME has a registry of its own.\nREGISTRY ?= ghcr.io/NAME\n"
        "push-NAME: build\n\t@REGISTRY=$(REGISTRY) docker compose push\n\n",
    )


def _own_field(name: str) -> str:
    return _varied(
        name,
        "  progressDeadlineSeconds: 90 # NAME\n",
        "  paused: false # NAME\n",
        "  {{- with .Values.progressDeadlineSeconds }}\n  # NAME\n"
        "  progressDeadlineSeconds: {{ . }}\n  {{- end }}\n",
    )


def _own_probe(name: str) -> str:
    """Change a number, add a key, or write the map in several lines."""
    return _varied(
        name,
        f"{_READINESS}failureThreshold: 5}} # NAME",
        f"{_READINESS}failureThreshold: 2, successThreshold: 2}}",
        f"{_READINESS}failureThreshold: 4}}",
        "readiness:\n  httpGet: {path: /readyz, port: http}\n  periodSeconds: 3\n"
        "  failureThreshold: 5",
    )


def _appended(path: str, text: Callable[[str], str]) -> Callable[[Tree, str], dict[str, str]]:
    return lambda tree, name: {path: _text(tree, path) + text(name)}


def _replaced(path: str, old: str, new: Callable[[str], str]) -> Callable[..., dict[str, str]]:
    return lambda tree, name: {path: replaced_once(_text(tree, path), old, new(name), path)}


def _word_of_phony(tree: Tree, name: str) -> dict[str, str]:
    """Add a target at the end, and its name to the last line, which lists all targets."""
    text = _text(tree, "Makefile")
    target = f"deploy-{name}:\n\t@helm upgrade --install {name} chart\n\n"
    after = re.sub(r"(\.PHONY: help .*)\n\Z", rf"{target}\1 deploy-{name}\n", text)
    assert after != text
    return {"Makefile": after}


def _own_import(tree: Tree, name: str) -> dict[str, str]:
    """Add a middleware to the server: where the example was once registered too."""
    number = name.removeprefix("svc")
    path, changes = next((one, found) for one, found in _IMPORTS.items() if _find(tree, one))
    path, text = _find(tree, path), _text(tree, _find(tree, path))
    for old, new in changes:
        text = replaced_once(text, old, new.replace("NUMBER", number), path)
    return {path: text}


def _own_route(tree: Tree, name: str) -> dict[str, str]:
    path = next(found for one in _REGISTERING if (found := _find(tree, one)))
    line = f"# route of {name}\n" if path.endswith(".py") else f"// route of {name}\n"
    return {path: _text(tree, path) + line}


def _own_model(tree: Tree, name: str) -> dict[str, str]:
    path = next(found for one in _MODELS if (found := _find(tree, one)))
    line = f"# member of {name}\n" if path.endswith(".py") else f"// member of {name}\n"
    return {path: line + _text(tree, path)}


_IMPORTS: Mapping[str, tuple[Change, ...]] = {
    "src/app/server.py": (
        ("from app import SERVICE, health", "from app import SERVICE, auditNUMBER, health"),
        (
            "    app.add_middleware(telemetry.Telemetry)\n",
            "    app.add_middleware(telemetry.Telemetry)\n"
            "    app.add_middleware(auditNUMBER.Audit)\n",
        ),
    ),
    "server.go": (
        ('\t"net/http"\n', '\t"net/http"\n\t"net/http/pprof"\n'),
        (
            '"GET /metrics":      promhttp.Handler(),\n',
            '"GET /metrics":      promhttp.Handler(),\n'
            '\t\t"GET /pprofNUMBER":  http.HandlerFunc(pprof.Index),\n',
        ),
    ),
    "src/server.ts": (
        (
            'import { addHealth, Readiness } from "./health.ts";\n',
            'import { audit } from "./auditNUMBER.ts";\n'
            'import { addHealth, Readiness } from "./health.ts";\n',
        ),
    ),
    "Web.java": (
        (
            "        interceptors.addInterceptor(requests);\n",
            "        interceptors.addInterceptor(requests);\n"
            "        interceptors.addInterceptor(new AuditNUMBER());\n",
        ),
    ),
}
_REGISTERING = ("src/app/service.py", "routes.go", "src/service.ts", "OwnSettings.java")
_MODELS = ("src/app/models.py", "items.go", "src/models.ts", "Items.java")

Shape = Callable[[Tree, str], dict[str, str]]
# Each shape: in how many services, and what it does.
SHAPES: Mapping[str, tuple[int, Shape]] = {
    "ignored file at the end": (23, _appended(".gitignore", _ignored)),
    "CI step after make build": (
        14,
        _replaced(
            CI,
            "      - run: make build\n",
            lambda name: f"      - run: make build\n{_own_step(name)}",
        ),
    ),
    "target after make build": (
        12,
        _replaced(
            "Makefile",
            "\t@docker compose build\n\n",
            lambda name: f"\t@docker compose build\n\n{_own_target(name)}",
        ),
    ),
    "word of .PHONY": (25, _word_of_phony),
    "field of the deployment": (
        8,
        _replaced(
            DEPLOYMENT,
            "  revisionHistoryLimit: 5\n",
            lambda name: f"  revisionHistoryLimit: 5\n{_own_field(name)}",
        ),
    ),
    "one-line map of a probe": (
        7,
        _replaced(
            HELPERS,
            f"{_READINESS}failureThreshold: 2}}",
            _own_probe,
        ),
    ),
    "import or middleware of the server": (11, _own_import),
    "own route": (11, _own_route),
    "own model": (9, _own_model),
    "raised action": (
        9,
        _replaced(CI, _CHECKOUT, lambda name: f"actions/checkout@{'4d' * 20} # v7.0.{name[-2:]}"),
    ),
    "label of the image": (
        8,
        _replaced(
            "Dockerfile",
            _LABEL,
            lambda name: (
                f"{_LABEL[:-1]} \\\n"
                + _varied(
                    name,
                    '    org.opencontainers.image.vendor="team of NAME"\n',
                    '    com.acme.team=NAME \\\n    com.acme.tier="gold"\n',
                )
            ),
        ),
    ),
    "edit of a file that is renamed": (
        3,
        _replaced(PDB, "AlwaysAllow\n", lambda name: f"IfHealthyBudget # {name}\n"),
    ),
    STORY: (20, lambda tree, _: _texts(replace_example(tree))),
}


def services_with(shape: str) -> list[int]:
    """Draw the numbers of the services that have this shape, from a fixed seed."""
    count, _ = SHAPES[shape]
    return sorted(Random(shape).sample(range(1, SERVICES + 1), count))


def edit_year(
    rendered: Mapping[str, File], _changed: Collection[str], name: str
) -> tuple[Tree, list[Edit]]:
    """Return a service after a year, and what its owner did."""
    number, tree = int(name.removeprefix("svc")), dict(rendered)
    done: list[Edit] = []
    for shape, (_, apply) in SHAPES.items():
        if number not in services_with(shape):
            continue
        if shape == STORY:
            after = replace_example(tree)
        else:
            after = {
                **tree,
                **{path: File(text.encode()) for path, text in apply(tree, name).items()},
            }
        paths = sorted(p for p in {*tree, *after} if tree.get(p) != after.get(p))
        tree, done = after, [*done, *(Edit(shape, path) for path in paths)]
    return tree, done


def edit_story(
    rendered: Mapping[str, File], _changed: Collection[str], _name: str
) -> tuple[Tree, list[Edit]]:
    """Return a service whose owner has only replaced the example."""
    after = replace_example(rendered)
    paths = sorted(p for p in {*rendered, *after} if rendered.get(p) != after.get(p))
    return after, [Edit(STORY, path) for path in paths]


def replaced_once(text: str, old: str, new: str, path: str) -> str:
    """Replace a text that must occur once: else the template has changed, and this file must."""
    assert text.count(old) == 1, f"{path} has {old!r} {text.count(old)} times"
    return text.replace(old, new)


def _find(tree: Tree, end: str) -> str:
    return next((path for path in sorted(tree) if path == end or path.endswith(f"/{end}")), "")


def _text(tree: Tree, path: str) -> str:
    return tree[path].content.decode()


def _texts(tree: Tree) -> dict[str, str]:
    return {path: _text(tree, path) for path in tree}
