"""The windows of a token's lifetime: young, should renew, must renew."""

from datetime import datetime, timedelta

from homey_tokend.core.homey import HomeyState
from homey_tokend.core.tokens import Token

#: The last part of a lifetime is "must renew": a tenth of it, one hour at most.
MUST_SHARE, MUST_MOST = 0.1, timedelta(hours=1)
#: A token is not replaced on request in this first part of its lifetime, a minute at most.
YOUNG_SHARE, YOUNG_MOST = 0.1, timedelta(minutes=1)


def must_renew_at(token: Token) -> datetime:
    """Return when "should renew" becomes "must renew"."""
    return token.expires_at - min(token.life * MUST_SHARE, MUST_MOST)


def should_renew_at(state: HomeyState, token: Token) -> datetime:
    """Return when the random share of the token's lifetime has passed."""
    return min(token.issued_at + token.life * state.fraction, must_renew_at(token))


def in_must_window(state: HomeyState, now: datetime) -> bool:
    """Return whether there is no usable token, or one that expires soon."""
    token = state.usable(now)
    return token is None or now >= must_renew_at(token)


def young_until(token: Token) -> datetime:
    """Return until when a token is too young to be replaced on request."""
    return token.issued_at + young_span(token.life)


def young_span(life: timedelta) -> timedelta:
    """Return how long after a refresh no other is started on request."""
    return min(life * YOUNG_SHARE, YOUNG_MOST)
