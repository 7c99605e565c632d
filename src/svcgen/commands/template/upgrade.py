"""`svcgen template upgrade`: a newer release of ours, merged into a company's template by git."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from svcgen.update.repository import current_branch
from svcgen.update.repository import require_committed_template
from svcgen.errors import SvcgenError
from svcgen.git import git, run
from svcgen.templates.upstream import BRANCH, add_releases, known_releases, release_commit
from svcgen.templates.versions import unknown

# Whatever a user has set for merges in general: git's rerere would hide the files to look at, and
# the commits of a release are svcgen's own, which nobody has signed.
_MERGE = (
    *("-c", "rerere.autoUpdate=false", "merge", "--quiet", "--no-ff", "--commit", "--no-squash"),
    "--no-verify-signatures",
)


@dataclass(frozen=True)
class UpgradeResult:
    """What was merged into which branch, and the files in which git wants a person to decide."""

    version: str
    branch: str
    conflicts: tuple[str, ...]


def upgrade(folder: Path, version: str) -> UpgradeResult:
    """Merge a release of ours into the branch that is checked out; a clean merge is committed.

    Raises SvcgenError, with nothing merged, when the folder is no template begun by `init`, has
    uncommitted changes or no branch, or when the version is unknown or merged already.
    """
    root = require_committed_template(folder)
    branch = _branch(root)
    if version not in (known := known_releases(root)):
        raise unknown(version, "svcgen's template", known)
    add_releases(root, version)
    _refuse_merged(root, version, branch)
    return UpgradeResult(version, branch, _merge(root, version))


def _branch(root: Path) -> str:
    branch = current_branch(root)
    if not branch:
        raise SvcgenError("No branch is checked out.", "Type: git switch main")
    if branch == BRANCH:
        raise SvcgenError(
            f"The branch {BRANCH} is for svcgen's releases alone.", "Type: git switch main"
        )
    if run("rev-parse", "--quiet", "--verify", f"refs/heads/{BRANCH}", within=root).returncode:
        raise SvcgenError(
            f"There is no branch {BRANCH}, which svcgen's releases stand on.",
            f"Take it from where you have cloned: git branch {BRANCH} origin/{BRANCH}",
        )
    return branch


def _refuse_merged(root: Path, version: str, branch: str) -> None:
    words = ("merge-base", "--is-ancestor", release_commit(version), "HEAD")
    if not run(*words, within=root).returncode:
        raise SvcgenError(
            f"{branch} has svcgen's {version} already.",
            f"There are: {', '.join(known_releases(root)[-20:])}.",
        )


def _merge(root: Path, version: str) -> tuple[str, ...]:
    """Return the files in conflict; anything else that stops a merge is undone and raised."""
    title = f"Upgrade to svcgen's template {version}"
    done = run(*_MERGE, "-m", title, release_commit(version), within=root)
    if not done.returncode:
        return ()
    listed = git("diff", "--name-only", "--diff-filter=U", "-z", within=root)
    if conflicts := tuple(filter(None, listed.split("\0"))):
        return conflicts
    run("merge", "--abort", within=root)
    said = (done.stderr or done.stdout).decode(errors="replace").strip()
    raise SvcgenError(f"git merge failed: {said}")
