"""`make release VERSION=vX.Y.Z`: add a version of the template to svcgen's bundle of releases.

Each version is one commit with the template and its changelog, on the version before. Author and
dates are fixed, so a release has the same bytes on every machine.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from svcgen.errors import SvcgenError, counted
from svcgen.files import replacing
from svcgen.git import git
from svcgen.template_check.check import check_template
from svcgen.templates.base import Version
from svcgen.templates.changelog import Section, read_sections
from svcgen.templates.checkout import TEMPLATE, is_release
from svcgen.templates.releases import release_folder, releases, releases_file, unbundle
from svcgen.templates.versions import RELEASE, SOURCE, compare, newest
from svcgen.update.stored_answers import require_declared_answers

CARRIED = (*TEMPLATE, "CHANGELOG.md")

# Several threads, and the user's git settings, would change a pack's bytes.
_FIXED = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "pack.threads",
    "GIT_CONFIG_VALUE_0": "1",
}


def main() -> None:
    """Make the release that the command line names, and print what to type next."""
    version = sys.argv[1] if len(sys.argv) > 1 else ""
    checkout, bundle = Path.cwd(), releases_file()
    try:
        require_ready(checkout, version, bundle)
        require_no_faults(checkout)
        cut_release(checkout, version, bundle)
    except SvcgenError as error:
        sys.exit(f"Error: {error}")
    name = os.path.relpath(bundle)
    print(f"{name} has {version} ({bundle.stat().st_size} bytes in all). Next:")
    print(f'  git add {name} && git commit -m "Release template {version}"')
    print(f"  git tag {version}")


def cut_release(checkout: Path, version: str, bundle: Path) -> None:
    """Replace the bundle by one with one more version, in one step.

    Raises SvcgenError when the version is not higher than the newest, when the changelog does not
    describe it, and when the template has uncommitted changes or none since the newest release.
    """
    section = require_ready(checkout, version, bundle)
    released = releases(bundle)
    last = newest(released)
    with TemporaryDirectory(prefix="svcgen-release-") as folder, replacing(bundle) as made:
        repository = Path(folder, "repository")
        _begin(repository, bundle, released)
        _commit(repository, checkout, section, released.get(last, ""))
        _fixed(repository, "bundle", "create", "--quiet", "--version=2", made, "--tags")


def require_ready(checkout: Path, version: str, bundle: Path) -> Section:
    """Return what the changelog says of a release; raise as `cut_release` does."""
    released = releases(bundle)
    last = newest(released)
    _refuse_version(version, last)
    section = _section(checkout, version)
    _refuse_uncommitted(checkout)
    if last:
        before = release_folder(bundle, released[last])
        if is_release(checkout, before):
            raise SvcgenError(f"The template is equal to {last}: there is nothing to release.")
        require_declared_answers(Version(SOURCE, last, before), Version(SOURCE, version, checkout))
    return section


def require_no_faults(checkout: Path) -> None:
    """Raise SvcgenError for a template that `svcgen template check` finds a fault in.

    A released version is never changed, so its faults would stay.
    """
    checked = check_template(checkout, progress=_shown)
    if checked.faults:
        lines = "".join(f"\n  {fault.path}: {fault.problem}" for fault in checked.faults)
        raise SvcgenError(
            f"The template has {counted(len(checked.faults), 'fault')}:{lines}",
            "Correct it, and commit: `svcgen template check .` shows the same.",
        )


def _shown(done: int, every: int) -> None:
    if sys.stderr.isatty():
        print(f"\rchecked {done} of {every}", end="\n" * (done == every), file=sys.stderr)


def _refuse_version(version: str, last: str) -> None:
    if not RELEASE.fullmatch(version):
        raise SvcgenError(
            f'"{version}" is not a version.', "Type: make release VERSION=vX.Y.Z, as in v1.0.0"
        )
    if last and compare(version, last) <= 0:
        raise SvcgenError(f"{version} is not higher than {last}, the newest release.")


def _section(checkout: Path, version: str) -> Section:
    text = (checkout / "CHANGELOG.md").read_text(encoding="utf-8")
    found = {section.version: section for section in read_sections(text)}.get(version)
    try:
        if found and found.of_template and found.text and date.fromisoformat(found.date):
            return found
    except ValueError:
        pass
    raise SvcgenError(
        f"CHANGELOG.md does not say what {version} changes in a service.",
        f'Write a section "## {version} - YEAR-MONTH-DAY" with a part "### Template".',
    )


def _refuse_uncommitted(checkout: Path) -> None:
    changed = git("status", "--porcelain", "--", *CARRIED, within=checkout)
    if changed:
        raise SvcgenError(
            f"The template has changes that are not committed:\n{changed}", "Commit them first."
        )


def _begin(repository: Path, bundle: Path, released: dict[str, str]) -> None:
    if released:
        unbundle(bundle, repository)
    else:
        git("init", "--quiet", "--bare", "--object-format=sha1", repository)
    for tag, commit in released.items():
        _fixed(repository, "update-ref", f"refs/tags/{tag}", commit)


def _commit(repository: Path, checkout: Path, section: Section, parent: str) -> None:
    """Commit the template of the checkout's commit, and tag it."""
    objects = git("rev-parse", "--path-format=absolute", "--git-path", "objects", within=checkout)
    variables = {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": objects,
        "GIT_INDEX_FILE": str(repository / "index-of-checkout"),
    }
    files = repository / "files"
    files.mkdir()
    head = git("rev-parse", "HEAD", within=checkout)
    work = f"--work-tree={files}"
    words = ("checkout", "--quiet", head, "--", *CARRIED)
    _fixed(repository, work, *words, within=files, variables=variables)
    # Added as files: deltas copied from a pack of this machine would differ on another.
    _fixed(repository, work, "add", "--all", "--force", ".", within=files)
    tree = _fixed(repository, "write-tree")
    made = ("commit-tree", "-m", f"Template {section.version}", *(["-p", parent] if parent else []))
    commit = _fixed(repository, *made, tree, variables=_author(section))
    _fixed(repository, "update-ref", f"refs/tags/{section.version}", commit)


def _author(section: Section) -> dict[str, str]:
    moment = f"{section.date}T00:00:00+0000"
    return {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (
            ("NAME", "svcgen"),
            ("EMAIL", "releases@svcgen.invalid"),
            ("DATE", moment),
        )
    }


def _fixed(
    repository: Path,
    *words: str | Path,
    within: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> str:
    whole = {**_FIXED, **(variables or {})}
    return git(f"--git-dir={repository}", *words, within=within, variables=whole)


if __name__ == "__main__":
    main()
