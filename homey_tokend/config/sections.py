"""What all sections have in common: frozen, no unknown keys, and an empty one is its defaults."""

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from homey_tokend.config.nodes import Text
from homey_tokend.config.words import invalid_value, kind


class Section(BaseModel):
    """A mapping of the configuration file."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        # A refusal must never carry what was written.
        hide_input_in_errors=True,
    )


class _Shape:
    """Refuses a value of the wrong shape in our own words; where allowed, null is ``empty``."""

    def __init__(
        self, shape: type, what: str, remedy: str, empty: Callable[[], Any] | None
    ) -> None:
        self._shape = shape
        self._what = what
        self._remedy = remedy
        self._empty = empty

    def _check(self, value: object) -> object:
        if isinstance(value, Text):
            if value.null and self._empty is not None:
                return self._empty()
            if value.null:
                raise invalid_value("is empty", self._remedy)
            raise invalid_value(f"is a single value where {self._what} belongs", self._remedy)
        if isinstance(value, dict | list) and not isinstance(value, self._shape):
            raise invalid_value(f"is {kind(value)} where {self._what} belongs", self._remedy)
        return value

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        found = handler(schema)
        if self._empty is None or self._empty is _none:
            return found
        return {"anyOf": [found, {"type": "null"}]}


def _none() -> None:
    """What an optional section is when it is empty; its schema takes null already."""


_KEYS = "Write keys and values below it, indented by two blanks."

#: A mapping that must be there with something in it.
MAPPING = _Shape(dict, "a mapping", _KEYS, None)
#: A mapping whose keys may all be commented out.
MAPPING_OR_EMPTY = _Shape(dict, "a mapping", _KEYS, dict)
#: As ``MAPPING``, for the one section where null could be meant either way.
STATE_MAPPING = _Shape(
    dict, "a mapping", "Write {path: null} to keep nothing, or leave the section out.", None
)
#: As ``MAPPING_OR_EMPTY``, where an absent section is None.
MAPPING_OR_NONE = _Shape(dict, "a mapping", _KEYS, _none)
#: The one mapping that every file needs.
HOMEYS = _Shape(
    dict,
    "a mapping",
    "Write a name below it, such as home, and that Homey's keys below that.",
    None,
)
#: A list whose items may all be commented out.
LIST_OR_EMPTY = _Shape(list, "a list", "Write each item after a dash: - item.", list)
