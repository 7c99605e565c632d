"""Habits of a command line: completion, `-h`, panels, plain types, and questions in order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.run import answered, environment, svcgen, svcgen_process
from tests.support.templates import publish
from tests.support.terminal import at_terminal

BIN = Path(sys.executable).parent
PROGRAM = BIN / "svcgen"
COMMANDS = (
    *("new", "questions", "demo", "compose", "up", "down", "ps", "logs", "restart", "env", "run"),
    "token",
    *("list", "routes", "drift", "verify", "doctor", "update", "reconfigure"),
    *("rename", "remove", "adopt"),
    *("template",),
)


def bash(script: str, within: Path) -> subprocess.CompletedProcess[str]:
    path = f"{BIN}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "--norc", "-c", script],
        cwd=within,
        env=environment({"PATH": path}),
        capture_output=True,
        text=True,
    )


def completed(words: str, within: Path) -> list[str]:
    """Return what bash would offer after these words."""
    script = (
        "source <(svcgen --show-completion bash) && COMP_WORDS=({words}) COMP_CWORD={last} && "
        '_svcgen_completion svcgen && printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    last = len(words.split()) - (0 if words.endswith(" ") else 1)
    done = bash(script.format(words=words, last=last), within)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_bash_can_source_the_completion(tmp_path: Path) -> None:
    done = bash("source <(svcgen --show-completion bash) && complete -p svcgen", tmp_path)
    assert done.stdout.strip() == "complete -o default -F _svcgen_completion svcgen", done.stderr


def test_bash_completes_commands_choices_and_services(tmp_path: Path) -> None:
    assert set(completed("svcgen re", tmp_path)) == {"restart", "reconfigure", "rename", "remove"}
    assert completed("svcgen new orders --stack py", tmp_path) == ["python"]
    assert svcgen("new", "orders", within=tmp_path).returncode == 0
    assert completed("svcgen logs or", tmp_path) == ["orders"]
    assert completed("svcgen new stock --calls or", tmp_path) == ["orders"]
    assert completed("svcgen up --scale or", tmp_path) == ["orders="]
    assert completed("svcgen update orders --ref v1.0", tmp_path) == ["v1.0.0"]
    assert completed("svcgen questions --template nowhere --ref v1", tmp_path) == []
    (tmp_path / "svcgen.yaml").write_text("gateway: [\n")
    assert completed("svcgen logs or", tmp_path) == []


@pytest.mark.parametrize(
    ("shell", "part"),
    [
        ("bash", "complete -o default -F _svcgen_completion svcgen"),
        ("zsh", "compdef _svcgen_completion svcgen"),
        ("fish", "complete --command svcgen"),
    ],
)
def test_each_shell_has_a_script_that_can_be_installed(
    shell: str, part: str, tmp_path: Path
) -> None:
    shown = svcgen("--show-completion", shell, within=tmp_path)
    assert part in shown.stdout
    done = svcgen("--install-completion", shell, within=tmp_path, HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    (file,) = re.findall(r"in (/\S+)\. Open a new terminal to use it\.$", done.stdout)
    assert Path(file).read_text().strip() == shown.stdout.strip()


@pytest.mark.parametrize("option", ["--show-completion", "--install-completion"])
def test_an_unknown_shell_is_refused_with_what_to_type(option: str, tmp_path: Path) -> None:
    done = svcgen(option, "tcsh", within=tmp_path, HOME=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert 'The shell "tcsh" is not supported.' in done.stderr
    assert f"svcgen {option} bash" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_shell_is_detected_or_is_the_login_shell(tmp_path: Path) -> None:
    detected = bash(f"{PROGRAM} --show-completion; true", tmp_path)
    assert "_svcgen_completion()" in detected.stdout, detected.stderr
    program = (
        "import sys, shellingham\n"
        "def fail(): raise shellingham.ShellDetectionFailure\n"
        "shellingham.detect_shell = fail\n"
        "from svcgen.cli.app import main\n"
        "sys.argv = ['svcgen', '--show-completion']\n"
        "main()"
    )
    for shell, code, part in (
        ("/usr/bin/fish", 0, "complete --command svcgen"),
        ("", 1, "The shell is unknown.\nName bash, zsh or fish: svcgen --show-completion bash\n"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=environment({"SHELL": shell}),
            capture_output=True,
            text=True,
        )
        assert done.returncode == code
        assert part in done.stdout + done.stderr


@pytest.mark.parametrize("command", ["", *COMMANDS, "template check", "template init"])
def test_h_is_help_without_types_of_python(command: str, tmp_path: Path) -> None:
    short = svcgen(*command.split(), "-h", within=tmp_path)
    assert short.returncode == 0
    assert short.stdout == svcgen(*command.split(), "--help", within=tmp_path).stdout
    assert f"Usage: svcgen {command}".rstrip() in short.stdout
    assert not re.search(r"<\w+|list\[|\{[A-Z]+\}|\[\[", short.stdout)


def test_help_of_optional_names_shows_what_happens_without(tmp_path: Path) -> None:
    for command in ("up", "logs", "update", "drift"):
        printed = " ".join(svcgen(command, "-h", within=tmp_path).stdout.split())
        assert "NAME Names of services; default: " in printed, command


def test_help_shows_panels_in_the_order_of_work(tmp_path: Path) -> None:
    printed = svcgen("--help", within=tmp_path).stdout
    panels = re.findall(r"^╭─ (.+?) ─", printed, re.MULTILINE)
    assert panels == ["Options", "Create", "Run", "Check", "Keep current", "Template"]
    assert set(COMMANDS) == set(re.findall(r"^│ (\w+)  ", printed, re.MULTILINE))


def test_questions_lists_what_the_template_asks_in_its_order(tmp_path: Path) -> None:
    document = answered(svcgen("questions", "--json", within=tmp_path))
    names = [question["name"] for question in document["questions"]]
    assert names[:4] == ["name", "stack", "description", "database"]
    assert "reserved" not in names
    stack = document["questions"][1]
    assert {choice["answer"] for choice in stack["choices"]} == {
        *("python", "go", "typescript", "java")
    }
    printed = svcgen("questions", within=tmp_path).stdout
    assert re.findall(r"^(\w+) \(\w+\)$", printed, re.MULTILINE) == names
    assert "    postgres  PostgreSQL\n" in printed
    assert "name (str)\n" in printed
    assert "  required\n" in printed


def test_questions_of_another_template_and_version(tmp_path: Path) -> None:
    template = tmp_path / "template"
    texts = (
        "tier: {choices: [[Gold, gold], tin]}\nlevel: 3\n",
        "tier: {multiselect: true, choices: '{{ x }}', default: []}\nlevel: {type: int, when: no}",
    )
    for version, text in zip(("v1.0.0", "v1.1.0"), texts, strict=True):
        publish(template, version, {"copier.yml": text})
    words = ("questions", "--template", template, "--json")
    cache = {"SVCGEN_CACHE_DIR": str(tmp_path / "cache")}
    old = answered(svcgen(*words, "--ref", "v1.0.0", within=tmp_path, **cache))
    assert old["template_version"] == "v1.0.0"
    tier, level = old["questions"]
    assert [(choice["answer"], choice["label"]) for choice in tier["choices"]] == [
        ("gold", "Gold"),
        ("tin", "tin"),
    ]
    assert (tier["type"], tier["default"]) == ("yaml", None)
    assert (level["type"], level["default"]) == ("int", 3)
    (tier,) = answered(svcgen(*words, within=tmp_path, **cache))["questions"]
    assert (tier["multiselect"], tier["choices"], tier["default"]) == (True, [], [])
    done = svcgen(*words, "--ref", "v9.0.0", within=tmp_path, **cache)
    assert (done.returncode, done.stdout) == (1, "")


def test_new_at_a_terminal_asks_for_the_stack_first(tmp_path: Path) -> None:
    asked = "Language and framework"
    code, shown = at_terminal("new", "orders", within=tmp_path, asked=asked, reply="\r" * 12)
    assert code == 0, shown
    assert shown.index(asked) < shown.index("Description of the service")
    assert "stack: python" in (tmp_path / "orders" / ".copier-answers.yml").read_text()
    code, shown = at_terminal(
        *("new", "stock", "--stack", "go"), within=tmp_path, asked="Description", reply="\r" * 12
    )
    assert (code, asked in shown) == (0, False)


def test_ctrl_c_at_a_question_aborts(tmp_path: Path) -> None:
    asked = "Language and framework"
    code, shown = at_terminal("new", "orders", within=tmp_path, asked=asked, reply="\x03")
    assert code == 130, shown
    assert "Aborted" in shown
    assert "KeyboardInterrupt" not in shown
    assert "AnswersMap" not in shown
    assert list(tmp_path.iterdir()) == []


def test_completion_that_cannot_be_installed_is_an_error(tmp_path: Path) -> None:
    done = svcgen("--install-completion", "bash", within=tmp_path, HOME="/proc")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: Completion cannot be installed: /proc/")
    assert "svcgen --show-completion bash" in done.stderr


def test_each_command_ends_with_one_result_on_stdout(tmp_path: Path) -> None:
    """Hints are on stderr without `--json`, and left out with it."""
    plain = svcgen_process("list", within=tmp_path)
    assert (plain.stdout, plain.stderr) == (
        "",
        "No services found. Create one: svcgen new orders\n",
    )
    printed = svcgen_process("list", "--json", within=tmp_path)
    assert answered(printed) == {"version": 1, "services": [], "external": []}
    assert printed.stderr == ""
