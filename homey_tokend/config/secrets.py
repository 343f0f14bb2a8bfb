"""A secret as the configuration names it: plain text, or where to read it. Nothing is opened.

No message of this module repeats what is written there: ``password: {hunter2}`` is a
mapping to YAML, and its only key is the password.
"""

import re
from collections.abc import Callable
from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema

from homey_tokend.config.fields import ARGV_SCHEMA, PATH_SCHEMA, WRITTEN, Schema
from homey_tokend.config.nodes import Text
from homey_tokend.config.readers import absolute, argv
from homey_tokend.config.words import invalid_value, kind
from homey_tokend.core import totp
from homey_tokend.core.secret import Secret, SecretRef, SecretSource

_ENV_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
#: systemd takes any plain file name (systemd.exec(5), LoadCredential=).
_CREDENTIAL_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,254}"

_SOURCES = "{file: PATH}, {env: NAME}, {credential: NAME} or {command: [ARGV…]}"
_USE = f"Write the text in quotes, or one of {_SOURCES}."
_QUOTE = f"Text that starts with a brace or a bracket needs quotes; else write one of {_SOURCES}."


def bare(text: str) -> str:
    """``text`` without one newline at its end, which editors and ``echo`` leave there."""
    return text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text


def secret(value: object) -> SecretRef:
    """The reference that plain text or a mapping with one known key stands for."""
    if isinstance(value, SecretRef):
        return value
    if isinstance(value, Text):
        return _plain(value)
    if not isinstance(value, dict):
        raise invalid_value(f"is {kind(value)} where text or a source belongs", _QUOTE)
    if len(value) != 1:
        many = "names several sources" if value else "is an empty mapping"
        raise invalid_value(many, f"Write exactly one of {_SOURCES}.")
    [(key, argument)] = value.items()
    reader = _READERS.get(key)
    if reader is None:
        raise invalid_value("names a source that is not known", _QUOTE)
    return reader(argument)


def totp_secret(value: object) -> SecretRef | None:
    """As :func:`secret`; null is None, and a plain one is checked to be base32."""
    if value is None or (isinstance(value, Text) and value.null):
        return None
    found = secret(value)
    if found.plain is not None and totp.normalize_secret(found.plain.reveal()) is None:
        raise invalid_value(
            "is not base32 of at least 16 characters",
            "Copy the key that the account showed when two-factor authentication was set up.",
        )
    return found


def _plain(value: Text) -> SecretRef:
    text = bare(value)
    if not text:
        raise invalid_value("is empty", _USE)
    return SecretRef(SecretSource.PLAIN, plain=Secret(text))


def _file(value: object) -> SecretRef:
    if not isinstance(value, Text) or not absolute(value):
        raise invalid_value(
            "names a file without an absolute path",
            "Write {file: /an/absolute/path}; ~ and variables are not expanded.",
        )
    return SecretRef(SecretSource.FILE, argument=str(value))


def _named(source: SecretSource, pattern: str, what: str) -> Callable[[object], SecretRef]:
    def read(value: object) -> SecretRef:
        if not isinstance(value, Text) or re.fullmatch(pattern, value) is None:
            raise invalid_value(
                f"gives no proper name of {what}",
                f"Write {{{source}: NAME}} with the name of {what}, not with the secret itself.",
            )
        return SecretRef(source, argument=str(value))

    return read


def _command(value: object) -> SecretRef:
    return SecretRef(SecretSource.COMMAND, argv=argv(value))


_READERS: dict[str, Callable[[object], SecretRef]] = {
    SecretSource.FILE: _file,
    SecretSource.ENV: _named(SecretSource.ENV, _ENV_NAME, "an environment variable"),
    SecretSource.CREDENTIAL: _named(SecretSource.CREDENTIAL, _CREDENTIAL_NAME, "a credential"),
    SecretSource.COMMAND: _command,
}


def _source(key: str, value: Schema, description: str) -> Schema:
    return {
        "type": "object",
        "properties": {key: {**value, "description": description}},
        "required": [key],
        "additionalProperties": False,
    }


#: Of null it cannot tell ``password:`` (empty) from ``password: null`` (text): it takes neither.
SECRET_SCHEMA: Schema = {
    "anyOf": [
        {"type": WRITTEN, "pattern": r"^(?!\r?\n?$)"},
        _source("file", PATH_SCHEMA, "A file, read at each sign-in."),
        _source(
            "env",
            {"type": "string", "pattern": f"^{_ENV_NAME}$"},
            "An environment variable, read at the start.",
        ),
        _source(
            "credential",
            {"type": WRITTEN, "pattern": f"^{_CREDENTIAL_NAME}$"},
            "A file in systemd's $CREDENTIALS_DIRECTORY, read at the start.",
        ),
        _source("command", ARGV_SCHEMA, "A command whose output it is, run at each sign-in."),
    ]
}

SecretField = Annotated[SecretRef, PlainValidator(secret), WithJsonSchema(SECRET_SCHEMA)]
TotpField = Annotated[
    SecretRef | None,
    PlainValidator(totp_secret),
    WithJsonSchema({"anyOf": [*SECRET_SCHEMA["anyOf"], {"type": "null"}]}),
]
