"""Stored answers that are no longer among the choices of their questions: the user chooses again.

Without a terminal the render refuses such an answer, and says what to type.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from svcgen.render.answers import answers_from
from svcgen.render.refusals import FIXED
from svcgen.render.render import questions
from svcgen.templates.copier_yml import choices
from svcgen.update.model import UpdateJob
from svcgen.update.stored_answers import migrate_answers, stored_answers


@dataclass(frozen=True)
class NarrowedChoice:
    """A question of a service, its stored answer, and the answers that are accepted now."""

    service: str
    version: str
    question: str
    answer: Any
    accepted: tuple[str, ...]


Choose = Callable[[NarrowedChoice], str]
"""Asks the user, and returns the answer as `-d` takes it."""


def with_choices(job: UpdateJob, choose: Choose) -> UpdateJob:
    """Return the job with new answers to questions that no longer accept the stored ones.

    An answer given for this update is not asked for, and neither is one that cannot change. Raises
    SvcgenError when the answers cannot be read.
    """
    if job.old.name == job.new.name:
        return job
    answers = migrate_answers(stored_answers(job.service.folder), job.old, job.new)
    chosen: dict[str, Any] = {}
    fixed = {*job.options.data.values, *FIXED}
    for question, asked in questions(job.new).items():
        accepted = tuple(choices(asked))
        # Whether a question with a condition is asked, only a render knows.
        if question not in answers or question in fixed or "when" in asked:
            continue
        answer = answers[question]
        given = answer if isinstance(answer, list) else [answer]
        if accepted and not {str(each) for each in given} <= set(accepted):
            choice = NarrowedChoice(job.service.name, job.new.name, question, answer, accepted)
            chosen[question] = choose(choice)
    data = answers_from("your answer", chosen).over(job.options.data)
    return replace(job, options=replace(job.options, data=data))
