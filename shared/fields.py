"""Turns what pydantic found wrong into this project's one error: the field, the value, the rule."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from shared.errors import MISSING, InvalidField

ModelT = TypeVar("ModelT", bound=BaseModel)


def validated(model: type[ModelT], given: Mapping[str, Any]) -> ModelT:
    """The model, made of what was given. Raises InvalidField for the first field that breaks its rule."""
    try:
        return model.model_validate(given)
    except ValidationError as exc:
        raise first_invalid_field(exc, model, given) from exc


def first_invalid_field(error: ValidationError, model: type[BaseModel], given: Mapping[str, Any]) -> InvalidField:
    """The first failing field in the model's own order; keys that the model doesn't know come last, by name.

    The rule in the sentence is the field's `description`, so that documents and errors say the same.
    """
    fields = model.model_fields
    if unknown := [key for key in given if key not in fields]:
        # pydantic stops at a key with a lone surrogate, so the fields are judged once more, alone
        try:
            model.model_validate({name: given[name] for name in fields if name in given})
        except ValidationError as exc:
            error = exc
        else:
            key = min(unknown, key=str)
            return InvalidField(str(key), given[key], f"expected: the known fields are {', '.join(fields) or 'none'}")
    failing = {problem["loc"][0] for problem in error.errors(include_url=False, include_input=False) if problem["loc"]}
    name = next(name for name in fields if name in failing)
    return InvalidField(name, given.get(name, MISSING), fields[name].description or "valid")
