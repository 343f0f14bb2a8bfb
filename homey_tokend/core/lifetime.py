"""The parts of a token's life: young, to be renewed, must be renewed. Pure."""

from datetime import datetime, timedelta

from homey_tokend.core.homey import HomeyState
from homey_tokend.core.tokens import Token

#: How much of a token's end is "must renew"? A tenth of its life, one hour at most.
MUST_SHARE, MUST_MOST = 0.1, timedelta(hours=1)
#: A token younger than this share of its life, or this, is not replaced on request.
YOUNG_SHARE, YOUNG_MOST = 0.1, timedelta(minutes=1)


def must_renew_at(token: Token) -> datetime:
    """When "should renew" becomes "must renew"."""
    return token.expires_at - min(token.life * MUST_SHARE, MUST_MOST)


def should_renew_at(state: HomeyState, token: Token) -> datetime:
    """When the drawn part of the token's life is used."""
    return min(token.issued_at + token.life * state.fraction, must_renew_at(token))


def in_must_window(state: HomeyState, now: datetime) -> bool:
    """Whether no usable token is held, or one that ends soon."""
    token = state.usable(now)
    return token is None or now >= must_renew_at(token)


def young_until(token: Token) -> datetime:
    """Until when a token is too young to be replaced on request."""
    return token.issued_at + young_span(token.life)


def young_span(life: timedelta) -> timedelta:
    """How long after one refresh no other is started on request."""
    return min(life * YOUNG_SHARE, YOUNG_MOST)
