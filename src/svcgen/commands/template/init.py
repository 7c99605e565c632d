"""`svcgen template init`: a company's own template, begun from ours."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from svcgen.files import staged
from svcgen.update.repository import require_git_identity
from svcgen.errors import SvcgenError
from svcgen.git import git
from svcgen.templates.releases import releases, releases_file
from svcgen.templates.upstream import BRANCH, add_releases, release_commit
from svcgen.templates.versions import newest

README = """\
# A template of our own

It began as svcgen's template {version} and lives on by itself. `copier.yml` asks the questions,
`template/` holds what becomes of the answers.

| type | to |
| --- | --- |
| `svcgen template check` | render it with every choice and hold the result to all rules |
| `svcgen template release v1.0.0` | tag a version, once CHANGELOG.md has a section `## v1.0.0` |
| `git push origin main v1.0.0` | give it to everybody |
| `svcgen new orders --template ADDRESS-OF-THIS-REPOSITORY` | make a service from it |
| `svcgen template upgrade vX.Y.Z` | merge a newer release of svcgen's template |

The branch `upstream` holds svcgen's releases, tagged `upstream/vX.Y.Z`, and nothing else: do not
commit on it. UPSTREAM.md says what they change; CHANGELOG.md is for what our versions do.
"""


@dataclass(frozen=True)
class InitResult:
    """What was begun: the folder, the release of ours it holds, and the name of our branch."""

    folder: Path
    version: str
    upstream: str


def init(folder: Path, ref: str = "") -> InitResult:
    """Make a repository with our releases up to `ref`, the newest by default, ready for changes.

    Raises SvcgenError, with nothing written, when the folder is there and not empty, when there is
    no such release, or when git does not know whose commits these are.
    """
    folder = folder.absolute()
    _refuse_taken(folder)
    version = ref or newest(releases(releases_file()))
    if not version:
        raise SvcgenError("No version of svcgen's template was released yet.")
    try:
        with staged(folder.parent) as place:
            made = place / folder.name
            _write(made, version)
            os.rename(made, folder)  # noqa: PTH104 (over an empty folder, or not at all)
    except OSError as error:
        raise SvcgenError(f"{folder} cannot be made: {error.strerror}.") from error
    return InitResult(folder, version, BRANCH)


def _refuse_taken(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and not _is_empty(folder)):
        raise SvcgenError(
            f"{folder} is there already.", "Choose another folder: svcgen template init OTHER"
        )


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())


def _write(made: Path, version: str) -> None:
    git("init", "--quiet", "--object-format=sha1", "--initial-branch=main", made)
    require_git_identity(made)
    add_releases(made, version)
    git("reset", "--quiet", "--hard", release_commit(version), within=made)
    (made / "README.md").write_text(README.format(version=version), encoding="utf-8")
    git("add", "README.md", within=made)
    title = f"Begin a template of our own from svcgen's {version}"
    git("commit", "--quiet", "--message", title, within=made)
