"""Documents of `svcgen template`: versions, check, init, upgrade and release."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

if TYPE_CHECKING:
    from svcgen.commands.template.init import InitResult
    from svcgen.commands.template.release import ReleaseResult
    from svcgen.commands.template.upgrade import UpgradeResult
    from svcgen.template_check.check import CheckResult


@dataclass(frozen=True)
class VersionsDocument:
    """The versions of a template."""

    template_versions: Annotated[tuple[str, ...], "The oldest first."]


def versions_document(versions: Iterable[str]) -> VersionsDocument:
    """Build the document of `svcgen template versions`."""
    return VersionsDocument(tuple(versions))


@dataclass(frozen=True)
class RuleFault:
    """A rule that a file of the template breaks."""

    path: Annotated[str, "Path in the template if it is known, else in the service."]
    rule: Annotated[str, "Name of the rule."]
    problem: Annotated[str, "What is wrong."]
    answers: Annotated[str, "Answers that show it; empty if it does not depend on answers."]


@dataclass(frozen=True)
class CheckDocument:
    """What a template was checked with, and every fault."""

    tried: Annotated[int, "Number of combinations of answers that were rendered."]
    possible: Annotated[int, "Number of combinations that exist."]
    refused: Annotated[int, "How many of those tried the template's validators refuse."]
    faults: Annotated[tuple[RuleFault, ...], "Sorted by path."]


def check_document(result: CheckResult) -> CheckDocument:
    """Build the document of `svcgen template check`."""
    return CheckDocument(
        result.tried,
        result.possible,
        result.refused,
        tuple(
            RuleFault(fault.path, fault.rule, fault.problem, fault.answers)
            for fault in result.faults
        ),
    )


@dataclass(frozen=True)
class InitDocument:
    """The template that `svcgen template init` created."""

    folder: Annotated[str, "Absolute path of the template."]
    template_version: Annotated[str, "Version of svcgen's template that it contains."]
    upstream: Annotated[str, "Branch that holds the releases of svcgen's template."]


def init_document(result: InitResult) -> InitDocument:
    """Build the document of `svcgen template init`."""
    return InitDocument(str(result.folder), result.version, result.upstream)


@dataclass(frozen=True)
class UpgradeDocument:
    """The release that `svcgen template upgrade` merged."""

    template_version: Annotated[str, "Version of svcgen's template that was merged."]
    branch: Annotated[str, "Branch that it was merged into."]
    conflicts: Annotated[tuple[str, ...], "Files with conflicts; empty if the merge is committed."]


def upgrade_document(result: UpgradeResult) -> UpgradeDocument:
    """Build the document of `svcgen template upgrade`."""
    return UpgradeDocument(result.version, result.branch, result.conflicts)


@dataclass(frozen=True)
class ReleaseDocument:
    """The version that `svcgen template release` tagged."""

    template_version: Annotated[str, "The version."]
    tagged: Annotated[bool, "Whether the tag was created; false if a rule is broken."]
    check: Annotated[CheckDocument, "The result of the check."]


def release_document(result: ReleaseResult) -> ReleaseDocument:
    """Build the document of `svcgen template release`."""
    return ReleaseDocument(
        result.version, not result.checked.faults, check_document(result.checked)
    )
