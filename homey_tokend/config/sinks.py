"""Where each new token is written: the three types of ``sinks``."""

import unicodedata
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo, field_validator

from homey_tokend.config.field_types import (
    NULLABLE,
    Argv,
    FilePath,
    Flag,
    Mode,
    Section,
    Timeout,
    invalid_value,
    text,
)
from homey_tokend.core.commands import exec_target

_Variable = Annotated[
    str,
    text(r"^[^\x00-\x1f\x7f]{1,128}$", "a variable's name", "Write the name that Homey shows."),
    # One form of each name, for conflicts, targets and the Homey.
    AfterValidator(lambda name: unicodedata.normalize("NFC", name)),
]
_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_Uuid = Annotated[
    str,
    text(f"^{_UUID}$", "a UUID", "Copy the variable's id from Homey, or give its name instead."),
    # Homey writes it in lower-case letters.
    AfterValidator(str.lower),
]


def _require_type(schema: dict[str, Any]) -> None:
    # In a file the type must be written, though code has it as a default.
    schema["required"] = ["type", *schema.get("required", ())]


def _require_one(schema: dict[str, Any]) -> None:
    _require_type(schema)
    given = {"not": {"type": "null"}}
    schema["oneOf"] = [{"required": [k], "properties": {k: given}} for k in ("name", "id")]


class LogicVariableConfig(Section):
    """A text variable of Homey's logic, given by name or by id."""

    model_config = ConfigDict(json_schema_extra=_require_one)

    type: Literal["logic_variable"] = Field(
        default="logic_variable", description="The kind of sink."
    )
    name: Annotated[_Variable | None, NULLABLE] = Field(
        default=None, description="The variable's name.", examples=["accesstoken"]
    )
    id: Annotated[_Uuid | None, NULLABLE] = Field(
        default=None,
        description="The variable's id, a UUID, which renaming does not change.",
        examples=["0b2e6f3c-9d3f-4c5b-8a55-0f6f2f1d7c11"],
        validate_default=True,
    )
    create: Flag = Field(
        default=False,
        description="Whether a missing variable of this name is created.",
        examples=[True],
    )
    expires_variable: Annotated[_Variable | None, NULLABLE] = Field(
        default=None,
        description="The name of a text variable for the time at which the token expires (RFC 3339, UTC).",
        examples=["accesstoken_expires"],
    )
    state_variable: Annotated[_Variable | None, NULLABLE] = Field(
        default=None,
        description="The name of a text variable: ok, or why refreshing fails.",
        examples=["accesstoken_state"],
    )

    @field_validator("id")
    @classmethod
    def _name_or_id(cls, value: str | None, info: ValidationInfo) -> str | None:
        if "name" not in info.data:
            return value
        named = info.data["name"] is not None
        if named and value is not None:
            raise invalid_value("both id and name are given", "Keep one of them.")
        if not named and value is None:
            raise invalid_value(
                "neither name nor id is given", "Write the variable's name or its id."
            )
        return value

    @field_validator("create")
    @classmethod
    def _create_by_name(cls, value: bool, info: ValidationInfo) -> bool:  # noqa: FBT001  pydantic's way
        if value and info.data.get("id") is not None:
            raise invalid_value(
                "needs a name, and the variable has an id", "Write name, or drop create."
            )
        return value

    @field_validator("expires_variable", "state_variable")
    @classmethod
    def _of_its_own(cls, value: str | None, info: ValidationInfo) -> str | None:
        for other in ("name", "expires_variable"):
            if value is not None and other != info.field_name and value == info.data.get(other):
                raise invalid_value(
                    f"is the variable of {other}, too", "Give each a variable of its own."
                )
        return value

    @property
    def target(self) -> str:
        """Return the name of the variable, safe to log."""
        return f"logic_variable:{self.name if self.id is None else f'id={self.id}'}"

    @property
    def targets(self) -> tuple[str, ...]:
        """Return everything that it writes, including the variables besides the token's."""
        beside = (self.expires_variable, self.state_variable)
        return (self.target, *(f"logic_variable:{name}" for name in beside if name is not None))


class FileSinkConfig(Section):
    """A file, replaced atomically."""

    model_config = ConfigDict(json_schema_extra=_require_type)

    type: Literal["file"] = Field(default="file", description="The kind of sink.")
    path: FilePath = Field(
        description="The file's absolute path.", examples=["/run/homey-tokend/home.token"]
    )
    mode: Mode = Field(
        # Not readable by the group: a person decides who else may read it.
        default=0o600,
        description="The file's mode, octal.",
        examples=["0640"],
    )
    format: Literal["raw", "env", "json"] = Field(
        default="raw",
        description="raw: the token and a newline. env: lines for EnvironmentFile=. json: an object.",
        examples=["raw"],
    )

    @property
    def target(self) -> str:
        """Return the name of the file, safe to log."""
        return f"file:{self.path}"


def _each_once(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(value)) < len(value):
        raise invalid_value("names an event twice", "Write each once.")
    return value


class ExecSinkConfig(Section):
    """A command that receives the token as JSON on its standard input."""

    model_config = ConfigDict(json_schema_extra=_require_type)

    type: Literal["exec"] = Field(default="exec", description="The kind of sink.")
    command: Argv = Field(
        description="The program and its arguments; the token is never among them.",
        examples=[["/opt/bin/on-token"]],
    )
    timeout: Timeout = Field(
        default=timedelta(seconds=30),
        description="How long the command may take. 100ms to 10m.",
        examples=["30s"],
    )
    on: Annotated[
        tuple[Literal["token", "error", "recovered"], ...],
        Field(min_length=1, json_schema_extra={"uniqueItems": True}),
        AfterValidator(_each_once),
    ] = Field(
        default=("token",),
        description="The events it is run for: a new token, a refresh that fails, and the recovery.",
        examples=[["token", "error", "recovered"]],
    )

    @property
    def target(self) -> str:
        """Return the program; of its arguments, which may be private, only a digest."""
        return exec_target(self.command)


SinkConfig = Annotated[
    LogicVariableConfig | FileSinkConfig | ExecSinkConfig, Field(discriminator="type")
]
