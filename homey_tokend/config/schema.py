"""The JSON Schema of the configuration file, for editors, derived from the models.

Only the checks find what a schema cannot express: duplicate keys; two sinks with one target;
bounds of a duration or number that is written as text; ``jitter`` against ``at``, ``retry.first``
against ``retry.max``; lengths in bytes; base32; a secret that is the unquoted word null (the
schema rejects it, the checks accept it as text); an octal mode without quotes, which an editor
reads as another number.
"""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from homey_tokend.config.field_types import Section
from homey_tokend.config.model import ConfigDocument
from homey_tokend.core import timefmt


class _AsWritten(GenerateJsonSchema):
    """Describe values as people write them: ``24h``, not ``P1D``; ``0660``, not 432."""

    def str_schema(self, schema: core_schema.StringSchema) -> JsonSchemaValue:
        """Describe text, which an editor may read as a number or a boolean."""
        found = super().str_schema(schema)
        pattern = found.get("pattern", "")
        if re.search(pattern, "1") and re.search(pattern, "true"):
            found["type"] = ["string", "number", "boolean"]
        return found

    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:
        """Describe a duration; the bounds of one with a unit cannot be expressed."""
        bounds = {"minimum": schema["ge"].total_seconds(), "maximum": schema["le"].total_seconds()}
        return {
            "anyOf": [
                {"type": "number", **bounds},
                {"type": "string", "pattern": timefmt.DURATION},
            ]
        }

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        """Describe a number; the bounds of one in quotes cannot be expressed."""
        text = {"type": "string", "pattern": f"^{timefmt.NUMBER}$"}
        return {"anyOf": [super().float_schema(schema), text]}

    def encode_default(self, dft: Any) -> Any:
        """Write a default as people do."""
        if isinstance(dft, timedelta):
            return timefmt.format_duration(dft)
        if isinstance(dft, Path):
            return str(dft)
        if isinstance(dft, Section):
            return {}
        if type(dft) is int:
            # The only whole numbers among the defaults are file modes.
            return f"{dft:04o}"
        return super().encode_default(dft)


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12), a fresh dict at each call."""
    made = ConfigDocument.model_json_schema(schema_generator=_AsWritten)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **made,
        "title": "homey-tokend",
        "patternProperties": {"^x-": {"description": "Free, for YAML anchors."}},
    }
