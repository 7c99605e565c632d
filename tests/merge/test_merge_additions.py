"""Both sides add at one place, or change a list in one line: what is merged, and what is not."""

from __future__ import annotations

import pytest

from tests.support.trees import merged, tree

CI = "steps:\n  - run: make build\n  - run: make check\n"
MAKE = "build:\n\t@docker build\n\nlock:\n\t@lock\n"
IMAGE = 'LABEL version="1" \\\n    revision="2"\nUSER 1\n'
PROBE = "readiness: {httpGet: {path: /readyz, port: http}, periodSeconds: 3}\n"
STEP = "  - run: make build\n"
PUSH = "  # Ours.\n  - name: Push\n    run: |\n      a\n\n      b\n"
OLD_ACTION = f"  - uses: actions/checkout@{'a' * 40} # v7.0.1\n"


def action(commit: str, version: str) -> str:
    return f"  - uses: actions/checkout@{commit * 40} # v{version}\n"


@pytest.mark.parametrize(
    ("path", "old", "new", "mine", "result"),
    [
        (".gitignore", ".env\n", ".env\n.scan/\n", ".env\n# x\n*.o\n", ".env\n# x\n*.o\n.scan/\n"),
        (".gitignore", ".env\n", ".env\na\nb\n", ".env\nb\n", ".env\nb\na\n"),
        (
            "ci.yml",
            CI,
            CI.replace(STEP, f"{STEP}  - run: make scan\n"),
            CI.replace(STEP, f"{STEP}{PUSH}"),
            CI.replace(
                STEP,
                f"{STEP}{PUSH}  - run: make scan\n",
            ),
        ),
        (
            "chart/deployment.yaml",
            "spec:\n  limit: 5\n",
            "spec:\n  limit: 5\n  ready: {{ .Values.ready }}\n",
            "spec:\n  limit: 5\n  {{- with .Values.x }}\n  x: {{ . }}\n  {{- end }}\n",
            "spec:\n  limit: 5\n  {{- with .Values.x }}\n  x: {{ . }}\n  {{- end }}\n"
            "  ready: {{ .Values.ready }}\n",
        ),
        (
            "Makefile",
            MAKE,
            MAKE.replace("lock:\n", ".PHONY: scan\nscan: build ## scan\n\t@scan\n\nlock:\n"),
            MAKE.replace("lock:\n", "# Ours.\nTAG ?= 1\npush: build\n\t@push $(TAG)\n\nlock:\n"),
            MAKE.replace(
                "lock:\n",
                "# Ours.\nTAG ?= 1\npush: build\n\t@push $(TAG)\n\n"
                ".PHONY: scan\nscan: build ## scan\n\t@scan\n\nlock:\n",
            ),
        ),
        ("Makefile", ".PHONY: a b\n", ".PHONY: a b d\n", ".PHONY: a b c\n", ".PHONY: a b c d\n"),
        (
            "Dockerfile",
            IMAGE,
            IMAGE.replace('"2"', '"2" \\\n    licenses="MIT"'),
            IMAGE.replace('"2"', '"2" \\\n    team=x \\\n    tier="gold"'),
            IMAGE.replace('"2"', '"2" \\\n    team=x \\\n    tier="gold" \\\n    licenses="MIT"'),
        ),
        (
            "chart/_helpers.tpl",
            PROBE,
            PROBE.replace("{http", "{timeoutSeconds: 2, http"),
            PROBE.replace("Seconds: 3}", "Seconds: 5, failures: 2} # ours"),
            PROBE.replace("{http", "{timeoutSeconds: 2, http").replace(
                "Seconds: 3}", "Seconds: 5, failures: 2} # ours"
            ),
        ),
        (
            "server.py",
            "from app import NAME, health, tasks\n",
            "from app import NAME, config, health, tasks\n",
            "from app import NAME, audit, health\n",
            "from app import NAME, audit, config, health\n",
        ),
        ("ci.yml", OLD_ACTION, action("b", "7.1.0"), action("c", "7.0.10"), action("b", "7.1.0")),
        ("ci.yml", OLD_ACTION, action("b", "7.1.0"), action("c", "8"), action("c", "8")),
    ],
)  # fmt: skip
def test_what_both_sides_add_is_kept(path: str, old: str, new: str, mine: str, result: str) -> None:
    for end in ("\n", "\r\n"):
        after, found = merged(
            tree({path: old}), tree({path: new}), tree({path: mine.replace("\n", end)})
        )
        assert not found.conflicts
        assert after[path].content.decode() == result.replace("\n", end)


@pytest.mark.parametrize(
    ("path", "old", "new", "mine"),
    [
        # Order is relevant, a name twice, other lines, a line that one side changed.
        (".dockerignore", "*\n", "*\n!src\n", "*\n!data\n"),
        ("Makefile", MAKE, f"{MAKE}\nscan:\n\t@a\n", f"{MAKE}\nscan:\n\t@b\n"),
        ("Makefile", MAKE, f"{MAKE}\nscan:\n\t@a\n", f"{MAKE}\ninclude own.mk\n"),
        ("Makefile", MAKE, f"{MAKE}\t@a\n", f"{MAKE}\t@b\n"),
        ("ci.yml", CI, f"{CI}  - run: a\n", f"{CI}    env: b\n"),
        ("values.yaml", "a: 1\n", "a: 1\nb: 2\n", "a: 1\nb: 3\n"),
        ("values.yaml", "a: 1\n", "a: 1\nb: 2\n", "a: 1\n  {{- end }}\nc: 3\n"),
        ("notes.md", "a\n", "a\n- b\n", "a\n- c\n"),
        ("Dockerfile", IMAGE, f"{IMAGE}RUN a\n", f"{IMAGE}RUN b\n"),
        ("Dockerfile", IMAGE, IMAGE.replace('"2"', '"3" \\\n    a=1'), IMAGE.replace('"2"', '"4"')),
        ("x.yaml", "p: {a: 1, b: 2}\n", "p: {a: 3, b: 2}\n", "p: {a: 4, b: 2}\n"),
        ("x.yaml", "p: {a: 1, b: 2}\n", "p: {b: 2}\n", "p: {a: 4, b: 2}\n"),
        ("x.yaml", 'p: {a: "1, 2"}\n', 'p: {a: "1, 2", b: 2}\n', 'p: {a: "1, 2", c: 2}\n'),
        ("x.py", "def f(a):\n", "def f(a, b):\n", "def f(a, c):\n"),
        ("ci.yml", OLD_ACTION, action("b", "7.1.0"), action("c", "6.0")),
        ("ci.yml", OLD_ACTION, action("b", "7.1.0"), action("c", "7.1.0")),
    ],
)  # fmt: skip
def test_what_contradicts_stays_a_conflict(path: str, old: str, new: str, mine: str) -> None:
    _, found = merged(tree({path: old}), tree({path: new}), tree({path: mine}))
    assert [change.path for change in found.conflicts] == [path]
