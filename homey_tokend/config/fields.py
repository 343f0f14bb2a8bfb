"""The kinds of fields: each with its reader for the checks and its JSON Schema for editors."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from homey_tokend.config import durations, urls
from homey_tokend.config.readers import (
    ACCOUNT,
    FLAGS,
    LARGEST_SHARE,
    LISTEN_PATTERN,
    PATH_PATTERN,
    account,
    argv,
    flag,
    homey_endpoint,
    homey_url,
    leaf,
    listen,
    mode,
    path,
    socket_path,
    url,
)

Schema = dict[str, Any]

#: Text is taken as it is written, so that an editor's YAML may well see a number there.
WRITTEN = ["string", "number", "boolean"]


def duration_schema(least: timedelta, most: timedelta, *, zero: bool = False) -> Schema:
    """The JSON Schema of :func:`~homey_tokend.config.readers.spans`; it cannot bound a span that is written with a unit."""
    number = {
        "type": "number",
        "minimum": least.total_seconds(),
        "maximum": most.total_seconds(),
    }
    choices: list[Schema] = [number, {"type": "string", "pattern": durations.PATTERN}]
    return {"anyOf": [*choices, {"const": 0}] if zero else choices}


def share_schema(*, zero: bool) -> Schema:
    """The JSON Schema of :func:`~homey_tokend.config.readers.share`; it cannot bound a number in quotes."""
    low = {"minimum": 0} if zero else {"exclusiveMinimum": 0}
    number = {"type": "number", **low, "maximum": LARGEST_SHARE}
    return {"anyOf": [number, {"type": "string", "pattern": f"^{durations.NUMBER}$"}]}


ARGV_SCHEMA: Schema = {
    "type": "array",
    "minItems": 1,
    "items": {"type": WRITTEN},
    "prefixItems": [{"type": WRITTEN, "pattern": r"^(?:/|[^/]+$)"}],
}
PATH_SCHEMA: Schema = {"type": "string", "pattern": PATH_PATTERN}
MODE_SCHEMA: Schema = {
    "anyOf": [
        {"type": "integer", "minimum": 0, "maximum": 777},
        {"type": "string", "pattern": "^0?o?[0-7]{3}$"},
    ]
}
FLAG_SCHEMA: Schema = {"anyOf": [{"type": "boolean"}, {"enum": sorted(FLAGS)}]}


def or_null(schema: Schema) -> Schema:
    """A schema that also takes null."""
    return {"anyOf": [schema, {"type": "null"}]}


Mode = Annotated[int, leaf(mode), WithJsonSchema(MODE_SCHEMA)]
Flag = Annotated[bool, leaf(flag), WithJsonSchema(FLAG_SCHEMA)]
FilePath = Annotated[Path, leaf(path), WithJsonSchema(PATH_SCHEMA)]
SocketPath = Annotated[Path, leaf(socket_path), WithJsonSchema(PATH_SCHEMA)]
StatePath = Annotated[Path | None, leaf(path, nullable=True), WithJsonSchema(or_null(PATH_SCHEMA))]
Argv = Annotated[tuple[str, ...], PlainValidator(argv), WithJsonSchema(ARGV_SCHEMA)]
Account = Annotated[
    str, leaf(account), WithJsonSchema({"type": WRITTEN, "pattern": f"^{ACCOUNT}$"})
]
AccountOrNull = Annotated[
    str | None,
    leaf(account, nullable=True),
    WithJsonSchema({"type": [*WRITTEN, "null"], "pattern": f"^{ACCOUNT}$"}),
]
Url = Annotated[str, leaf(url), WithJsonSchema({"type": "string", "pattern": urls.PATTERN})]
HomeyEndpoint = Annotated[
    str,
    leaf(homey_endpoint),
    WithJsonSchema({"type": "string", "pattern": urls.PATTERN_CLOUDID}),
]
HomeyUrl = Annotated[
    str | None,
    leaf(homey_url),
    WithJsonSchema({"anyOf": [{"const": "auto"}, {"type": "string", "pattern": urls.PATTERN}]}),
]
Listen = Annotated[
    tuple[str, int] | None,
    leaf(listen, nullable=True),
    WithJsonSchema(or_null({"type": "string", "pattern": LISTEN_PATTERN})),
]
