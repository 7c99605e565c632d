"""Reading what people write: an unknown key or a wrong value is an error that helps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from svcgen.errors import SvcgenError, did_you_mean
from svcgen.units import DURATION_PATTERN, parse_duration

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Text = Annotated[str, Field(strict=True)]


def _positive(text: str) -> str:
    if parse_duration(text) == 0:
        raise ValueError("must be longer than nothing")
    return text


Duration = Annotated[
    Text, Field(pattern=DURATION_PATTERN, examples=["5s"]), AfterValidator(_positive)
]

SETTINGS = "svcgen.yaml"


class StrictModel(BaseModel):
    """A map whose keys are all known; values are never converted from another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class StrictError(SvcgenError):
    """A file that does not say what it should; `problems` has each fault with its file."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        lines = "\n".join(f"{file}: {problem}" for file, problem in problems)
        super().__init__(lines, "docs/registration.md explains every key.")
        self.problems = tuple(problems)


Model = TypeVar("Model", bound=StrictModel)


def read_strictly(
    model: type[Model],
    written: object,
    file: str,
    overlay: Mapping[str, Any] | None = None,
    place: str = "",
) -> Model:
    """Make the model from what a file holds, with the overlay at `place` of svcgen.yaml over it.

    Raises StrictError with a line for every fault.
    """
    if not isinstance(written, dict):
        raise StrictError([(file, "must be a map of keys.")])
    try:
        return model.model_validate(merge(written, overlay) if overlay else written)
    except ValidationError as error:
        problems = [
            (_origin(file, fault["loc"], overlay, place), line)
            for fault, line in _lines(model, error)
        ]
        raise StrictError(list(dict.fromkeys(problems))) from error


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one map over another, key by key; lists and single values are replaced whole."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        both = isinstance(under, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(under, value) if both else value  # type: ignore[arg-type] # both says so
    return merged


def _lines(model: type[BaseModel], error: ValidationError) -> Iterator[tuple[ErrorDetails, str]]:
    for fault in error.errors(include_url=False, include_context=False):
        yield fault, _line(model, fault)


def _line(model: type[BaseModel], fault: ErrorDetails) -> str:
    keys = [str(part) for part in fault["loc"]]
    if "auth" in keys:
        return _auth_line(keys[: keys.index("auth") + 1])
    key = ".".join(part for part in keys if part != "[key]")
    match fault["type"]:
        case "extra_forbidden":
            return f"{key} is no known key.{_nearest(model, keys)}"
        case "missing":
            return f"{key} is missing."
        case "value_error":
            return f"{key} {fault['msg'].removeprefix('Value error, ')}."
        case "string_type":
            return f"{key} must be text, but is {fault['input']!r}: write it in quotes."
        case _:
            return (
                f"{key}: {fault['msg'][0].lower()}{fault['msg'][1:]}, but it is {fault['input']!r}."
            )


def _auth_line(keys: Sequence[str]) -> str:
    return (
        f"{'.'.join(keys)} is mandatory: write `auth: none` for a route that is open to everyone, "
        "or `auth: {jwt: PROVIDER, scopes: [...]}`."
    )


def _nearest(model: type[BaseModel], keys: Sequence[str]) -> str:
    known = _known_keys(model, keys[:-1])
    return " " + did_you_mean(keys[-1], known, f"Known here: {', '.join(known)}.")


def _known_keys(model: type[BaseModel], keys: Sequence[str]) -> list[str]:
    """Walk down the models: each key is a field, or the name of an entry in a map of entries."""
    current: type[BaseModel] = model
    for key in keys:
        names = {field.alias or name: field for name, field in current.model_fields.items()}
        if key in names:
            inner = _model_in(names[key].annotation)
            current = inner or current
    return [field.alias or name for name, field in current.model_fields.items()]


def _model_in(annotation: object) -> type[BaseModel] | None:
    """Find the model within `Model | None`, `dict[str, Model]` and the like."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(part) for part in get_args(annotation))
    return next((model for model in found if model), None)


def _origin(file: str, loc: Sequence[object], overlay: Mapping[str, Any] | None, place: str) -> str:
    """Name the file that the faulty value was written in."""
    value: object = overlay or {}
    for key in loc:
        if not isinstance(value, Mapping) or key not in value:
            return file
        value = value[key]
    return f"{SETTINGS} ({place})"
