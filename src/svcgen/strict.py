"""Strict models of hand-written YAML: unknown keys and wrong values are errors that help."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from svcgen.errors import SvcgenError, did_you_mean, page
from svcgen.units import (
    DURATION_EXAMPLES,
    DURATION_PATTERN,
    parse_duration,
)

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Text = Annotated[str, Field(strict=True)]

_MEANINGS: dict[str, str] = {}  # what messages say of a text that does not match, by pattern


def matching(pattern: str, meaning: str, example: str = "") -> Any:
    """Return the pattern of a text; messages have its meaning, for example `must be a size`."""
    _MEANINGS[pattern] = meaning
    return Field(pattern=pattern, examples=[example] if example else None)


_MANDATORY: dict[str, str] = {}  # what messages say of a key that is missing


def mandatory(key: str, reason: str) -> None:
    """Register what messages say where this key is missing, instead of `is missing`."""
    _MANDATORY[key] = reason


def _not_zero(text: str) -> str:
    if parse_duration(text) == 0:
        raise ValueError("must be longer than 0")
    return text


def without_numbers(problem: Callable[[float], str]) -> BeforeValidator:
    """Return a validator for a text with a unit; it refuses a number in the given words."""

    def check(value: object) -> object:
        if isinstance(value, int | float) and not isinstance(value, bool):
            raise ValueError(problem(value))  # noqa: TRY004 (pydantic shows no other error)
        return value

    return BeforeValidator(check)


def _duration_of(number: float) -> str:
    meant = f"{number:g}s" if number >= 1 and number == int(number) else f"{number * 1000:g}ms"
    hint = meant if re.fullmatch(DURATION_PATTERN, meant) else "5s"
    return f"must be a duration with its unit, but is {number}: write {hint}"


Duration = Annotated[
    Text,
    matching(DURATION_PATTERN, f"must be a duration such as {DURATION_EXAMPLES}", "5s"),
    AfterValidator(_not_zero),
    without_numbers(_duration_of),
]


def within(least: str, most: str) -> AfterValidator:
    """Return a check that a duration is in a range."""

    def check(text: str) -> str:
        if not parse_duration(least) <= parse_duration(text) <= parse_duration(most):
            raise ValueError(f"must be from {least} to {most}")
        return text

    return AfterValidator(check)


# How long a request may take, with all its tries.
Timeout = Annotated[Duration, within("1ms", "24h")]


class StrictModel(BaseModel):
    """A map whose keys are all known; values are never converted from another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class StrictError(SvcgenError):
    """A file with unknown keys or wrong values; `problems` has each one with its file."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        lines = "\n".join(f"{file}: {problem}" for file, problem in problems)
        super().__init__(lines, f"{page('registration')} explains every key.")
        self.problems = tuple(problems)


Model = TypeVar("Model", bound=StrictModel)


def read_strictly(
    model: type[Model],
    content: object,
    file: str,
    overlay: Mapping[str, Any] | None = None,
    overlay_source: str = "",
) -> Model:
    """Validate the content of a file, with an overlay from another file merged over it.

    `file` and `overlay_source` are what messages call the two. Raises StrictError with a line for
    every problem.
    """
    if not isinstance(content, dict):
        raise StrictError([(file, "must be a map of keys.")])
    try:
        return model.model_validate(merge(content, overlay) if overlay else content)
    except ValidationError as error:
        problems = []
        faults = error.errors(include_url=False)
        for fault in faults:
            keys = _without_tags(fault["loc"])
            if fault["type"] == "too_short" and _has_wrong_entries(fault, faults):
                continue  # they have a problem each
            if fault["type"] == "missing" and _only_above(content, overlay, keys[:-1]):
                problems.append((overlay_source, _incomplete(content, keys)))
            else:
                source = overlay_source if _is_in(overlay, keys) else file
                problems.append((source, _problem(model, fault)))
        raise StrictError(list(dict.fromkeys(problems))) from error


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merge one map over another, key by key; lists and single values are replaced whole."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        if isinstance(under, Mapping) and isinstance(value, Mapping):
            merged[key] = merge(under, value)
        else:
            merged[key] = value
    return merged


def _is_in(overlay: Mapping[str, Any] | None, keys: Sequence[object]) -> bool:
    """Report whether the overlay has a value at these keys."""
    value: object = overlay or {}
    for key in keys:
        if not isinstance(value, Mapping):
            return True  # it replaces all of what is below it
        if key not in value:
            return False
        value = value[key]
    return True


def _has_wrong_entries(fault: ErrorDetails, faults: Sequence[ErrorDetails]) -> bool:
    place = fault["loc"]
    return any(each["loc"][: len(place)] == place for each in faults if each is not fault)


def _only_above(
    below: Mapping[str, Any], above: Mapping[str, Any] | None, keys: Sequence[object]
) -> bool:
    return _is_in(above, keys) and not _is_in(below, keys)


def _incomplete(below: Mapping[str, Any], keys: Sequence[int | str]) -> str:
    """Return the problem of an entry that only the overlay has, and that lacks a key."""
    *parents, entry, lacking = map(str, keys)
    known: Any = below
    for key in parents:
        known = known.get(key) if isinstance(known, Mapping) else None
    hint = did_you_mean(entry, known) if isinstance(known, Mapping) else ""
    place = ".".join([*parents, entry])
    return f"{place} is not in the registration, and lacks `{lacking}`. {hint}".strip()


def _problem(model: type[BaseModel], fault: ErrorDetails) -> str:
    """Return one error of pydantic as a sentence that names the key."""
    keys = [str(part) for part in _without_tags(fault["loc"])]
    key = ".".join(keys)
    if fault["type"] == "extra_forbidden":
        known = _known_keys(model, [str(part) for part in fault["loc"]][:-1])
        hint = did_you_mean(keys[-1], known, f"Known keys: {', '.join(known)}.")
        return f"{key} is not a known key. {hint}"
    reason = _reason(fault)
    return f"{key} {reason}" if reason.endswith("?") else f"{key} {reason}."


def _reason(fault: ErrorDetails) -> str:
    """Return what is wrong with a value, after its key."""
    message, value, context = fault["msg"], fault["input"], fault.get("ctx", {})
    if fault["type"] == "value_error":
        return message.removeprefix("Value error, ")
    reason = _REASONS.get(fault["type"], "").format(**context)
    if fault["type"] == "too_short" and value:
        reason = f"must have at least {context['min_length']} entries"
    if fault["type"] == "missing":
        reason = _MANDATORY.get(str(fault["loc"][-1]), reason)
    if fault["type"] == "string_pattern_mismatch":
        reason = _MEANINGS[context["pattern"]]
    reason = reason or f"is refused: {message[0].lower()}{message[1:]}"
    shown = (
        f", but is {'empty' if value is None else repr(value)}"
        if fault["type"] not in _WITHOUT_VALUE
        else ""
    )
    word = value.lower() if isinstance(value, str) else ""
    unquoted = word.isdecimal() if reason == _WHOLE else word in {"true", "false"}
    hint = ": write it without quotes" if reason in {_WHOLE, _TRUTH} and unquoted else ""
    quoted = fault["type"] == "string_type" and value is not None
    hint = ": write it in quotes" if quoted else hint
    return f"{reason}{shown}{hint}"


_WHOLE, _TRUTH = "must be a whole number", "must be true or false"
_WITHOUT_VALUE = {"missing", "invalid_key", "too_short"}
# By pydantic's names of errors; in braces what it adds to them.
_REASONS = {
    "missing": "is missing",
    "dict_type": "must be a map",
    "model_type": "must be a map",
    "tuple_type": "must be a list",
    "string_type": "must be text",
    "invalid_key": "must be text: write the key in quotes",
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "bool_type": _TRUTH,
    "literal_error": "must be {expected}",
    "less_than_equal": "must be at most {le}",
    "greater_than_equal": "must be at least {ge}",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must not be empty",
}


_TAG = re.compile(r"\[([a-z]+)\]")


def _without_tags(keys: Sequence[int | str]) -> tuple[int | str, ...]:
    """Return the keys of a fault without those that pydantic adds: `[key]`, and tags of unions."""
    return tuple(key for key in keys if not _TAG.fullmatch(str(key)))


def _known_keys(model: type[BaseModel], keys: Sequence[str]) -> list[str]:
    """Walk down the models: each key is a field, or the name of an entry in a map of entries.

    A tag such as `[jwt]` selects the model with that field out of a union.
    """
    current: list[type[BaseModel]] = [model]
    for key in keys:
        if tag := _TAG.fullmatch(key):
            current = [each for each in current if tag[1] in each.model_fields] or current
            continue
        fields = (each.model_fields for each in current)
        names = {field.alias or name: field for each in fields for name, field in each.items()}
        if key in names:
            current = _models_in(names[key].annotation) or current
    found = (field.alias or name for each in current for name, field in each.model_fields.items())
    return list(dict.fromkeys(found))


def _models_in(annotation: object) -> list[type[BaseModel]]:
    """Return the models within `Model | None`, `dict[str, Model]` and the like."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]
