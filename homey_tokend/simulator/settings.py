"""Settings of a simulator: identities, lifetimes and variations of the protocol.

All values are invented. Where ``docs/wire.md`` leaves a fact open, the mildest realistic
answer is the default, and a switch chooses the others.
"""

from dataclasses import dataclass, field
from typing import Literal

from homey_tokend.simulator.faults import Fault

#: How the hidden field of the consent page is written. The guide's script can only read
#: ``type-name-value``.
CsrfField = Literal["type-name-value", "value-name-type", "single-quotes", "self-closing"]

#: ``ask``: a form each time. ``remember``: from the second sign-in on the code comes
#: at once. ``direct``: never a form (docs/wire.md A2, "other outcome").
Consent = Literal["ask", "remember", "direct"]

#: What a refresh returns. ``keep``: a new refresh token, and the old one stays valid (the
#: library without ``revokeRefreshToken``). ``replace``: a new one, and the old one is
#: revoked. ``none``: no refresh token, and the old one stays valid (docs/wire.md A4).
Rotation = Literal["keep", "replace", "none"]

#: Whether logic variables have a path with a slash at the end (docs/wire.md D: both are
#: in the wild).
Slash = Literal["optional", "refused"]

#: Which Homeys a consent opens: all of the account, or the chosen one only.
Covers = Literal["all", "chosen"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """The variations of the protocol that can matter to a client.

    Args:
        csrf_field: How the hidden field of the consent page is written.
        extra_cookies: Cookies of a load balancer around the CSRF cookie.
        consent: When the consent page is shown.
        covers: Which Homeys a consent opens.
        expires_in_text: ``expires_in`` as text, as the HTTP spec shows it.
        expires_at: ``expiresAt`` in ``session/me`` (V3 specs do not have it).
        rotation: What a refresh returns.
        code_once: An authorization code can be used once only.
        password_grant: The client may use the password grant.
        remote_url: ``/user/me`` has the Homey's address; else it is null.
        api_version: ``apiVersion`` of the Homeys: 2 (Pro 2019) or 3 (Pro 2023).
        scopes: Scopes of a session; fewer give 403 ``Missing Scopes``.
        slash: Whether a logic variable's path may end with a slash.
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
    """Identities and lifetimes, in seconds.

    Args:
        email: Of the only account.
        password: Of that account. The default has characters that must be encoded in a
            form (docs/wire.md A1).
        client_id: 24 hex digits, as real ones are.
        client_secret: 40 hex digits.
        redirect_uri: The only one that the client registered.
        homeys: How many Homeys the account has, 1 or more.
        session_lifetime: Of a Homey bearer (docs/wire.md C: 24 h).
        access_lifetime: Of an OAuth access token (docs/wire.md A4: 3660 s).
        refresh_lifetime: Of a refresh token; None: for ever.
        code_lifetime: Of an authorization code (docs/wire.md 0: 30 s).
        user_token_lifetime: Of a user token; the real one is not known.
        delegation_lifetime: Of a delegation token (docs/wire.md A5: about 5 min).
        totp_secret: Base32; the account asks for one-time codes.
        seed: Gives the same ids, codes and tokens in each run.
        faults: Scripted faults, in order of precedence.
        switches: Variations of the protocol.
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
