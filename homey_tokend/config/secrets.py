"""A secret in the configuration: plain text, or where to read it. Nothing is opened.

No message of this module repeats the value: ``password: {hunter2}`` is a mapping in YAML, and its
only key is the password.
"""

from typing import Annotated, ClassVar

from pydantic import Field, PlainValidator, ValidationError, ValidationInfo, WithJsonSchema

from homey_tokend.config.field_types import Argv, FilePath, Section, invalid_value, kind
from homey_tokend.config.tree import Null
from homey_tokend.core.secret import Secret, SecretRef, SecretSource
from homey_tokend.core.totp import normalize_secret
from homey_tokend.core.value_text import defect, trim

_ALL = "{file: PATH}, {env: NAME}, {credential: NAME} or {command: [ARGV…]}"
_USE = f"Write the text in quotes, or one of {_ALL}."
_QUOTE = f"Text that starts with a brace or a bracket needs quotes; else write one of {_ALL}."


class _Source(Section):
    """Where to read a secret; ``fault`` is message and remedy for an invalid value."""

    fault: ClassVar[tuple[str, str]]


class FileSource(_Source):
    """A file."""

    fault = (
        "names a file without an absolute path",
        "Write {file: /an/absolute/path}; ~ and variables are not expanded.",
    )
    file: FilePath = Field(description="A file, read at each sign-in.")


class EnvSource(_Source):
    """An environment variable."""

    fault = (
        "gives no proper name of an environment variable",
        "Write {env: NAME} with the name of an environment variable, not with the secret itself.",
    )
    env: str = Field(
        pattern="^[A-Za-z_][A-Za-z0-9_]*$",
        description="An environment variable, read at the start.",
    )


class CredentialSource(_Source):
    """A credential of systemd, which takes any plain file name (systemd.exec(5))."""

    fault = (
        "gives no proper name of a credential",
        "Write {credential: NAME} with the name of a credential, not with the secret itself.",
    )
    credential: str = Field(
        pattern="^[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,254}$",
        description="A file in systemd's $CREDENTIALS_DIRECTORY, read at the start.",
    )


class CommandSource(_Source):
    """A command."""

    fault = (
        "gives no list of a program and its arguments",
        "Write {command: [PROGRAM, ARGUMENT…]}, the program by its absolute path or bare name.",
    )
    command: Argv = Field(description="A command that prints it, run at each sign-in.")


_SOURCES: dict[str, type[_Source]] = {
    SecretSource.FILE: FileSource,
    SecretSource.ENV: EnvSource,
    SecretSource.CREDENTIAL: CredentialSource,
    SecretSource.COMMAND: CommandSource,
}


def _secret(value: object, info: ValidationInfo) -> SecretRef:
    if isinstance(value, SecretRef):
        return value
    if isinstance(value, dict):
        return _source(value)
    if not isinstance(value, str):
        raise invalid_value(f"is {kind(value)} where text or a source belongs", _QUOTE)
    text = trim(value)
    if not text:
        raise invalid_value("is empty", _USE)
    if words := defect(text, info.field_name or ""):
        raise invalid_value(*words)
    return SecretRef(SecretSource.PLAIN, plain=Secret(text))


def _source(value: dict[str, object]) -> SecretRef:
    if len(value) != 1:
        many = "names several sources" if value else "is an empty mapping"
        raise invalid_value(many, f"Write exactly one of {_ALL}.")
    [(key, argument)] = value.items()
    if key not in _SOURCES:
        raise invalid_value("names a source that is not known", _QUOTE)
    try:
        found = _SOURCES[key].model_validate(value)
    except ValidationError:
        raise invalid_value(*_SOURCES[key].fault) from None
    if isinstance(found, CommandSource):
        return SecretRef(SecretSource.COMMAND, argv=found.command)
    return SecretRef(SecretSource(key), argument=str(argument))


def _totp_secret(value: object, info: ValidationInfo) -> SecretRef | None:
    if value is None or isinstance(value, Null):
        return None
    found = _secret(value, info)
    if found.plain is not None and normalize_secret(found.plain.reveal()) is None:
        raise invalid_value(
            "is not base32 of at least 16 characters",
            "Copy the key that the account showed when two-factor authentication was set up.",
        )
    return found


#: A schema cannot distinguish ``password:`` (empty) from ``password: null`` (text): it rejects both.
_Plain = Annotated[
    str,
    WithJsonSchema({"type": ["string", "number", "boolean"], "pattern": r"^(?!\ufeff?[\r\n]*$)"}),
]
_Written = _Plain | FileSource | EnvSource | CredentialSource | CommandSource

SecretField = Annotated[SecretRef, PlainValidator(_secret, _Written)]
TotpField = Annotated[SecretRef | None, PlainValidator(_totp_secret, _Written | None)]
