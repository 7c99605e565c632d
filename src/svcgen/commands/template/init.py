"""`svcgen template init`: start a company's template from svcgen's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from svcgen.commands.new import is_empty_folder
from svcgen.errors import SvcgenError
from svcgen.files import move_into_place, staged
from svcgen.git import git
from svcgen.templates.releases import releases, releases_file
from svcgen.templates.upstream import BRANCH, add_releases, release_commit
from svcgen.templates.versions import newest
from svcgen.update.repository import require_git_identity

README = """\
# Our template

It started as svcgen's template {version}. `copier.yml` asks the questions, `template/` has the
files that the answers fill in.

| type | to |
| --- | --- |
| `svcgen template check` | render it with every choice and check all rules |
| `svcgen template release v1.0.0` | tag a version, once CHANGELOG.md has a section `## v1.0.0` |
| `git push origin main v1.0.0` | publish it |
| `svcgen new orders --template ADDRESS-OF-THIS-REPOSITORY` | create a service from it |
| `svcgen template upgrade vX.Y.Z` | merge a newer release of svcgen's template |

The branch `upstream` holds svcgen's releases, tagged `upstream/vX.Y.Z`, and nothing else: do not
commit on it. UPSTREAM.md lists their changes, CHANGELOG.md those of our versions.
"""


@dataclass(frozen=True)
class InitResult:
    """The new template: its folder, svcgen's release in it, and the branch of the releases."""

    folder: Path
    version: str
    upstream: str


def init(folder: Path, ref: str = "") -> InitResult:
    """Make a repository with svcgen's releases up to `ref`, the newest by default.

    Raises SvcgenError, with nothing written, when the folder exists and is not empty, for an
    unknown release, and when git has no user.name and user.email.
    """
    folder = folder.absolute()
    if folder.is_symlink() or (folder.exists() and not is_empty_folder(folder)):
        raise SvcgenError(
            f"{folder} already exists.", "Choose another folder: svcgen template init OTHER"
        )
    version = ref or newest(releases(releases_file()))
    if not version:
        raise SvcgenError("svcgen's template has no released version yet.")
    try:
        with staged(folder.parent) as staging:
            made = staging / folder.name
            _write(made, version)
            move_into_place(made, folder)
    except OSError as error:
        raise SvcgenError(f"{folder} cannot be made: {error.strerror}.") from error
    return InitResult(folder, version, BRANCH)


def _write(made: Path, version: str) -> None:
    git("init", "--quiet", "--object-format=sha1", "--initial-branch=main", made)
    require_git_identity(made)
    add_releases(made, version)
    git("reset", "--quiet", "--hard", release_commit(version), within=made)
    (made / "README.md").write_text(README.format(version=version), encoding="utf-8")
    git("add", "README.md", within=made)
    title = f"Start from svcgen's template {version}"
    git("commit", "--quiet", "--message", title, within=made)
