"""A few combinations that hold every pair of choices: what is broken mostly needs no more."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

Choice = tuple[int, int]  # which question, and which of its choices


def covering(sizes: Sequence[int]) -> list[tuple[int, ...]]:
    """Combine choices so that any two of different questions meet; `sizes` counts each one's.

    Greedy: each combination begins with a pair that has not met, and takes of every other question
    the choice that brings most such pairs. The same sizes give the same combinations.
    """
    questions = [[(at, choice) for choice in range(size)] for at, size in enumerate(sizes)]
    apart = {
        pair
        for one, other in itertools.combinations(questions, 2)
        for pair in itertools.product(one, other)
    }
    found = []
    while apart:
        row = dict(min(apart))
        for question in questions:
            if question[0][0] not in row:
                best = max(question, key=lambda choice: _gain(choice, row, apart))
                row[best[0]] = best[1]
        apart -= set(itertools.combinations(sorted(row.items()), 2))
        found.append(tuple(choice for _at, choice in sorted(row.items())))
    return found


def _gain(choice: Choice, row: Mapping[int, int], apart: set[tuple[Choice, Choice]]) -> int:
    pairs = (sorted((choice, other)) for other in row.items())
    return sum((one, other) in apart for one, other in pairs)
