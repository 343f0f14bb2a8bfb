"""The JSON Schema of the configuration file, for editors; made of the same models as the checks.

What a schema cannot express, and the checks alone find: duplicate keys; two sinks with one
target; bounds of a duration or number that is written as text; ``jitter`` against ``at``,
``retry.first`` against ``retry.max``; ports and lengths; base32; a secret that is the
unquoted word null (the schema refuses it, the checks take it as text); an octal mode
without quotes, of which an editor sees another number.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from homey_tokend.config.document import ConfigDocument
from homey_tokend.config.durations import format_span
from homey_tokend.config.sections import Section


class _AsWritten(GenerateJsonSchema):
    """Shows defaults as people write them: ``24h``, not ``P1D``; ``0660``, not 432."""

    def encode_default(self, dft: Any) -> Any:
        """A default for editors."""
        if isinstance(dft, timedelta):
            return format_span(dft)
        if isinstance(dft, Path):
            return str(dft)
        if isinstance(dft, Section):
            return {}
        if type(dft) is int:
            # The only whole numbers among the defaults are file modes.
            return f"{dft:04o}"
        return super().encode_default(dft)


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12), a fresh dict at each call."""
    made = ConfigDocument.model_json_schema(schema_generator=_AsWritten)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **made,
        "title": "homey-tokend",
        "patternProperties": {"^x-": {"description": "Free, for YAML anchors."}},
    }
