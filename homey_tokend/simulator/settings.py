"""What a simulator is told before it starts: identities, life spans and switches.

All values are invented. Where ``docs/wire.md`` leaves a fact open, the mildest
realistic answer is the default and the others are a switch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from homey_tokend.simulator.faults import Fault

#: How the hidden field of the consent page is written. ``type-name-value`` is the
#: one that the guide's script can split.
CsrfField = Literal["type-name-value", "value-name-type", "single-quotes", "self-closing"]
CSRF_FIELDS: Sequence[CsrfField] = (
    "type-name-value",
    "value-name-type",
    "single-quotes",
    "self-closing",
)

#: ``ask``: a form each time. ``remember``: from the second sign-in on the code comes
#: at once. ``direct``: no form ever (docs/wire.md A2, "other outcome").
Consent = Literal["ask", "remember", "direct"]
CONSENTS: Sequence[Consent] = ("ask", "remember", "direct")

#: What a refresh gives: ``keep``: a new refresh token, the old one lives on (the
#: library without ``revokeRefreshToken``). ``replace``: a new one, the old one dies.
#: ``none``: no refresh token in the reply, the old one lives on (docs/wire.md A4).
Rotation = Literal["keep", "replace", "none"]
ROTATIONS: Sequence[Rotation] = ("keep", "replace", "none")

#: Whether logic variables answer with a slash at the end of the path
#: (docs/wire.md D: both in the wild; the sorting table knows a 404).
Slash = Literal["optional", "refused"]
SLASHES: Sequence[Slash] = ("optional", "refused")

#: Which Homeys a consent opens: all of the account, or the chosen one only.
Covers = Literal["all", "chosen"]
COVERS: Sequence[Covers] = ("all", "chosen")


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """The variations of the wire that a client could care about.

    Args:
        csrf_field: Form of the hidden field on the consent page.
        extra_cookies: Cookies of a load balancer around the one that counts.
        consent: Whether the consent page is shown.
        covers: Which Homeys a consent opens.
        expires_in_text: ``expires_in`` as text, as the HTTP spec shows it.
        expires_at: ``expiresAt`` in ``session/me`` (V3 specs do not have it).
        rotation: What happens to refresh tokens.
        code_once: An authorization code dies with its first use.
        password_grant: The client may use the password grant.
        remote_url: ``/user/me`` names the Homey's address; else it is null.
        api_version: ``apiVersion`` of the Homeys: 2 (Pro 2019) or 3 (Pro 2023).
        scopes: Scopes of a session; fewer give 403 ``Missing Scopes``.
        slash: A slash at the end of a logic variable's path.
        clock_skew: Seconds added to the ``Date`` header.
    """

    csrf_field: CsrfField = "type-name-value"
    extra_cookies: bool = False
    consent: Consent = "ask"
    covers: Covers = "all"
    expires_in_text: bool = False
    expires_at: bool = True
    rotation: Rotation = "keep"
    code_once: bool = True
    password_grant: bool = False
    remote_url: bool = True
    api_version: int = 2
    scopes: tuple[str, ...] = ("resource", "account.homeys.readonly", "homey")
    slash: Slash = "optional"
    clock_skew: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Identities and life spans; every span in seconds.

    Args:
        email: Of the only account. The default password has characters that must
            be encoded in a form (docs/wire.md A1).
        password: Of that account.
        client_id: 24 hex digits, as real ones are.
        client_secret: 40 hex digits.
        redirect_uri: The only one the client registered.
        homeys: How many Homeys the account has, 1 or more.
        session_lifetime: Of a Homey bearer (docs/wire.md C: 24 h).
        access_lifetime: Of an OAuth access token (docs/wire.md A4: 3660 s).
        refresh_lifetime: Of a refresh token; None: for ever.
        code_lifetime: Of an authorization code (docs/wire.md 0: 30 s).
        user_token_lifetime: Of what the login gives; not known, minutes here.
        delegation_lifetime: Of a delegation token (docs/wire.md A5: about 5 min).
        totp_secret: Base32; the account asks for one-time codes.
        seed: Makes ids, codes and tokens the same in each run.
        faults: Scripted trouble, in the order of the file.
        switches: Variations of the wire.
    """

    email: str = "resident@example.com"
    password: str = "S&cret+pass word=100%"  # noqa: S105 -- invented, and meant to be printed
    client_id: str = "5f0c1a2b3c4d5e6f70819203"
    client_secret: str = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00"  # noqa: S105 -- invented
    redirect_uri: str = "http://localhost"
    homeys: int = 1
    session_lifetime: float = 86_400.0
    access_lifetime: float = 3_660.0
    refresh_lifetime: float | None = None
    code_lifetime: float = 30.0
    user_token_lifetime: float = 300.0
    delegation_lifetime: float = 300.0
    totp_secret: str | None = None
    seed: int | None = None
    faults: tuple[Fault, ...] = ()
    switches: Switches = field(default_factory=Switches)
