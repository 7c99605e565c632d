"""A small template without faults, of two stacks: what `svcgen template check` is tested with."""

from __future__ import annotations

COPIER = """\
_subdirectory: template
_envops: {keep_trailing_newline: true}
_exclude: ["{% if _copier_operation == 'update' %}/README.md{% endif %}"]
name: {type: str}
stack: {type: str, choices: [python, go], default: python}
owner: {type: str, default: us}
python: {type: str, when: false, default: "{{ '.' if stack == 'python' else '' }}"}
go: {type: str, when: false, default: "{{ '.' if stack == 'go' else '' }}"}
"""
FILES = {
    "{{_copier_conf.answers_file}}.jinja": "{{ _copier_answers|to_nice_yaml -}}\n",
    "chart/registration.yaml.jinja": "service: {{ name }}\n",
    "README.md.jinja": "# {{ name }}\n",
    "chart.yaml.jinja": "name: {{ name }}\nowner: {{ owner|to_json(ensure_ascii=false) }}\n",
    "{{python}}/main.py": "print('hello')\n",
    "{{python}}/requirements.txt": "flask==3.1\n",
    "{{go}}/main.go": "package main\n\nvar pairs = [][2]int{{1, 2}}\n",
    "{{go}}/run.sh": "#!/bin/sh\n",
}
