"""Turns what pydantic found wrong into this project's one error: the field, the value, the rule."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from shared.errors import MISSING, InvalidField


def first_invalid_field(error: ValidationError, model: type[BaseModel], given: Mapping[str, Any]) -> InvalidField:
    """The first failing field in the model's own order; fields that the model doesn't know come last.

    The rule in the sentence is the field's `description`, so that documents and errors say the same.
    """
    failing = {str(problem["loc"][0]) for problem in error.errors(include_url=False) if problem["loc"]}
    for name, field in model.model_fields.items():
        if name in failing:
            return InvalidField(name, given.get(name, MISSING), field.description or "valid")
    unknown = next(name for name in given if name in failing)
    known = ", ".join(model.model_fields)
    return InvalidField(unknown, given[unknown], f"expected: the known fields are {known}")
