"""Text that does not print itself, where it comes from, and the credentials."""

import enum
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import NoReturn

_MASK = "<secret>"

#: The configuration keys of a Homey's credentials.
SECRET_KEYS = ("email", "password", "client_id", "client_secret", "totp_secret")
#: Those whose values must be kept private.
GUARDED_KEYS = ("password", "client_secret", "totp_secret")


class Secret:
    """Text that does not print itself.

    ``reveal`` is the only access to the text, so that a search for it finds each place where a
    secret is used. Comparison takes constant time; pickling and formatting reveal nothing.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text, to send or store it."""
        return self._text

    def fingerprint(self) -> str:
        """Return eight hexadecimal digits of its SHA-256, which identify a token in the log.

        Only for random tokens: a person's password could be guessed from it.
        """
        return hashlib.sha256(self._bytes()).hexdigest()[:8]

    def _bytes(self) -> bytes:
        # Text from the environment may contain lone surrogates, for bytes that are not UTF-8.
        return self._text.encode(errors="surrogatepass")

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._bytes(), other._bytes())

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return f"Secret({_MASK})"

    def __str__(self) -> str:
        return _MASK

    def __reduce__(self) -> NoReturn:
        msg = "a Secret is not pickled"
        raise TypeError(msg)


class SecretSource(enum.StrEnum):
    """Where a configured secret comes from (``docs/configuration.md``)."""

    PLAIN = "plain"
    FILE = "file"
    ENV = "env"
    CREDENTIAL = "credential"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A reference to a secret in the configuration; ``credentials.reader`` resolves it.

    ``plain`` is set for PLAIN; ``argument`` is the path, the name of the variable or of the
    credential; ``argv`` the command. ``place`` ("file:line:column key") is for messages.
    """

    source: SecretSource
    plain: Secret | None = None
    argument: str = ""
    argv: tuple[str, ...] = ()
    place: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials of one Homey, resolved."""

    email: Secret
    password: Secret
    client_id: str
    client_secret: Secret
    redirect_url: str
    cloudid: str
    totp_secret: Secret | None = None

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Those that no log line may contain."""
        one_time = (self.totp_secret,) if self.totp_secret else ()
        return (self.email, self.password, self.client_secret, *one_time)
