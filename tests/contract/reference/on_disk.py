"""The reference service as a folder, as svcgen would find it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.contract.reference.document import document
from tests.contract.reference.settings import CALLEE, NAME

REPOSITORY = Path(__file__).parents[3]
MAKEFILE = """\
export BREAK = {rule}
export PYTHONPATH = {repository}
run:
\t{run} {python} -m tests.contract.reference.main{after}
migrate:
\texec {python} -m tests.contract.reference.main migrate
"""
REGISTRATION = f"""\
apiVersion: svcgen.dev/v1
service: {NAME}
calls: [{CALLEE}]
routes:
  api: {{path: /v1/{NAME}, auth: none}}
"""


def write_reference(folder: Path, rule: str = "") -> Path:
    """Write a service folder whose server breaks one rule, or none."""
    folder.mkdir()
    shell = rule == "run-one-process"
    (folder / "Makefile").write_text(
        MAKEFILE.format(
            rule=rule,
            repository=REPOSITORY,
            python=sys.executable,
            run="true;" if shell else "exec",
            after="; exit $$?" if shell else "",
        )
    )
    answers = {"name": NAME, "stack": "reference", "database": "postgres", "calls": [CALLEE]}
    (folder / ".copier-answers.yml").write_text(json.dumps(answers))
    (folder / "openapi.json").write_text(json.dumps(document()))
    (folder / "chart").mkdir()
    (folder / "chart/registration.yaml").write_text(REGISTRATION)
    return folder
