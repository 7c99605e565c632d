"""`svcgen template upgrade`: merge a newer svcgen release into a company's template."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from svcgen.errors import SvcgenError
from svcgen.git import git, run
from svcgen.templates.upstream import BRANCH, add_releases, known_releases, release_commit
from svcgen.templates.versions import unknown
from svcgen.update.repository import current_branch, require_committed_template

# Whatever the user's settings for merges: git's rerere would hide conflicts, and the commits of a
# release have no signature.
_MERGE = (
    *("-c", "rerere.autoUpdate=false", "merge", "--quiet", "--no-ff", "--commit", "--no-squash"),
    "--no-verify-signatures",
)


@dataclass(frozen=True)
class UpgradeResult:
    """The release and the branch that it was merged into, and the files in conflict."""

    version: str
    branch: str
    conflicts: tuple[str, ...]


def upgrade(folder: Path, version: str) -> UpgradeResult:
    """Merge a svcgen release into the branch that is checked out; commit a clean merge.

    Raises SvcgenError, with nothing merged, when `init` did not start the template, when there are
    uncommitted changes or no branch, and when the version is unknown or already merged.
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
        raise SvcgenError("No branch is checked out.", "Switch to one: git switch main")
    if branch == BRANCH:
        raise SvcgenError(
            f"The branch {BRANCH} is only for svcgen's releases.",
            "Switch to yours: git switch main",
        )
    if run("rev-parse", "--quiet", "--verify", f"refs/heads/{BRANCH}", within=root).returncode:
        raise SvcgenError(
            f"There is no branch {BRANCH} with svcgen's releases.",
            f"Take it from the remote: git branch {BRANCH} origin/{BRANCH}",
        )
    return branch


def _refuse_merged(root: Path, version: str, branch: str) -> None:
    words = ("merge-base", "--is-ancestor", release_commit(version), "HEAD")
    if not run(*words, within=root).returncode:
        raise SvcgenError(
            f"{branch} already has svcgen's {version}.",
            f"Known releases: {', '.join(known_releases(root)[-20:])}.",
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
    output = (done.stderr or done.stdout).decode(errors="replace").strip()
    raise SvcgenError(f"git merge failed: {output}")
