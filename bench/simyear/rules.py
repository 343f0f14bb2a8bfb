"""Each rule that a simulated year checks, and how to break it: which text of the package to change.

``words`` are expected in the judge's verdict; ``seed`` and ``days`` are a year, or its beginning,
that is known to find it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutation:
    """A change of the code that breaks one rule."""

    name: str
    old: str
    new: str
    words: str
    #: How often the package contains the text.
    times: int = 1
    seed: int = 1
    days: int = 60


NONE = "although one was obtainable"
BACK = "an older token"

MUTATIONS = (
    # --- what is served ---
    Mutation(
        "a token is served past its expiry",
        "return now < self.expires_at",
        "return now < self.expires_at + timedelta(hours=1)",
        "past its expiry",
    ),
    Mutation(
        "a failed refresh drops the token",
        "        return replace(self, failure=failure)\n",
        "        return replace(self, failure=failure, token=None)\n",
        "withheld",
    ),
    Mutation(
        "an unreachable Homey counts as an invalid token",
        "failed_verifications=self.failed_verifications + 1",
        "revoked=True",
        "withheld",
    ),
    Mutation(
        "a revoked token stays",
        "return replace(self, revoked=True, last_verification_at=at)",
        "return replace(self, last_verification_at=at)",
        "a revoked token is still served",
    ),
    Mutation(
        "the held token is never verified again",
        "return last + settings.verify_every",
        "return _NEVER",
        "a revoked token is still served",
        times=2,
    ),
    Mutation(
        "a new token is served without a verification",
        "    if not accepted:\n        raise BearerDiscarded(",
        "    if accepted is None:\n        raise BearerDiscarded(",
        "the Homey never accepted",
    ),
    Mutation(
        "a new token is not verified again after a 401",
        "_PAUSES = (timedelta(0), timedelta(seconds=1), timedelta(seconds=3))",
        "_PAUSES = (timedelta(0),)",
        "issued is discarded",
    ),
    Mutation(
        "an unreachable Homey withholds a new token",
        'return replace(bearer, note=bearer.note or f"not verified: {error.kind}")',
        "raise error",
        "issued is discarded",
        seed=2,
    ),
    # --- never an older token ---
    Mutation(
        "the socket has a token before the disk",
        "        await self._store.keep_homey(change.state, write=change.save)\n",
        "        self.state, self.activity = change.state, change.activity\n        self._publish()\n"
        "        await self._store.keep_homey(change.state, write=change.save)\n",
        "not on the disk",
    ),
    Mutation(
        "a state is saved that is not the newest",
        "self.document = documents.with_homey(self.document, state)\n        if write:\n",
        "before, self.document = self.document, documents.with_homey(self.document, state)\n"
        "        if write:\n            await self._write()\n"
        "            await self._blobs.save(documents.to_json(before))\n"
        "            return\n        if write:\n",
        BACK,
    ),
    Mutation(
        "a sink is written to by two deliveries at once",
        "    fraction = context.settings.fraction(context.random)\n",
        "    fraction = context.settings.fraction(context.random)\n"
        "    activity = replace(activity, delivering=frozenset())\n",
        "the variable goes back",
    ),
    # --- when a refresh is due ---
    Mutation(
        "a token is renewed only when it must be",
        "return min(token.issued_at + token.life * self.fraction, token.must_renew_at)",
        "return token.must_renew_at",
        "not renewed although it is due",
    ),
    Mutation(
        "a token that must be renewed waits like any other",
        "MUST_GAP = timedelta(seconds=60)",
        "MUST_GAP = timedelta(hours=1)",
        NONE,
    ),
    Mutation(
        "no attempt is made after an outage",
        "yield Constraint(at + (min(gap, MUST_GAP) if must else gap)",
        "yield Constraint(at + timedelta(days=2)",
        NONE,
    ),
    Mutation(
        "failures are not spaced",
        "return min(most, first * (1 << doublings)) * failure.random",
        "return timedelta(0)",
        "requests to a failing host",
    ),
    # --- Retry-After ---
    Mutation(
        "Retry-After is obeyed for as long as it says",
        "yield Constraint(min(failure.not_before, at + most)",
        "yield Constraint(failure.not_before",
        NONE,
        seed=2,
    ),
    Mutation(
        "Retry-After is obeyed for an hour where no token is left",
        "RETRY_AFTER_MOST, RETRY_AFTER_MUST = timedelta(hours=1), timedelta(minutes=10)",
        "RETRY_AFTER_MOST, RETRY_AFTER_MUST = timedelta(hours=1), timedelta(hours=1)",
        NONE,
        seed=4,
        days=120,
    ),
    Mutation(
        "Retry-After is not obeyed",
        "yield Constraint(min(failure.not_before, at + most)",
        "yield Constraint(at",
        "in spite of Retry-After",
        seed=2,
    ),
    Mutation(
        "Retry-After as a date is not understood",
        "    until = parse_http_date(text)\n",
        "    until = None\n",
        "in spite of Retry-After",
        days=120,
    ),
    Mutation(
        "a date of Retry-After is compared with a wrong clock",
        "until - (parse_http_date(date) or received_at)",
        "until - received_at",
        "in spite of Retry-After",
        seed=3,
    ),
    # --- rejections ---
    Mutation(
        "rejected credentials are tried every quarter of an hour",
        "LADDER = (timedelta(minutes=15), timedelta(hours=1), timedelta(hours=4), timedelta(days=1))",
        "LADDER = (timedelta(minutes=15),)",
        "tried again too early",
    ),
    Mutation(
        "other credentials may be rejected without end",
        "REJECTED_A_DAY = 4",
        "REJECTED_A_DAY = 400",
        "over 4 rejected",
        seed=3,
    ),
    Mutation(
        "rejections are forgotten at a restart",
        '"rejections": [_rejection_json(one) for one in state.rejections.values()],',
        '"rejections": [],',
        "tried again too early",
        seed=3,
    ),
    Mutation(
        "changed credentials wait like rejected ones",
        "self._credentials, self._user, self._grant = credentials, None, None\n",
        "self._credentials = self._credentials or credentials\n",
        NONE,
    ),
    Mutation(
        "a person may force any number of tries in a day",
        "FORCED_A_DAY = 2",
        "FORCED_A_DAY = 50",
        "were forced",
    ),
    Mutation(
        "an unknown response to a password is followed by the next",
        "UNKNOWN_LOGIN_GAP = timedelta(minutes=15)",
        "UNKNOWN_LOGIN_GAP = timedelta(seconds=1)",
        "did not judge it",
    ),
    # --- the budget, and one-time codes ---
    Mutation(
        "there is no budget",
        "BUDGET, BUDGET_EACH = 10, 2",
        "BUDGET, BUDGET_EACH = 1000, 2",
        "within half of a token's life",
    ),
    Mutation(
        "an outage uses up the budget",
        "return replace(self, sign_ins=self.sign_ins[:-1])",
        "return self",
        NONE,
        seed=4,
    ),
    Mutation(
        "the budget is forgotten at a restart",
        '"sign_ins": [_instant(at) for at in state.sign_ins],',
        '"sign_ins": [],',
        "within half of a token's life",
    ),
    Mutation(
        "a sign-in is not recorded before it is made",
        "            await self._store.record_sign_in(key, account.signing_in(now, step))\n",
        "",
        "within half of a token's life",
    ),
    Mutation(
        "a one-time code is used again",
        "one_time_steps=steps[-_STEPS:],",
        "one_time_steps=(),",
        "a one-time code used twice",
        seed=9,
    ),
    # --- time ---
    Mutation(
        "a clock that is set moves the time that tokens are measured with",
        "return self._start + timedelta(seconds=self._clock.elapsed() - self._since)",
        "return self._clock.now()",
        "withheld",
    ),
    Mutation(
        "nobody notices that the clock was set",
        "        self.offset += set_by\n",
        "",
        "the end of the held token is not reported",
        seed=2,
        days=120,
    ),
    Mutation(
        "the Date header is ignored",
        "    date = response.date()\n",
        "    date = None\n",
        "past its expiry",
        seed=1,
        days=365,
    ),
    # --- the variable ---
    Mutation(
        "a sink that failed is given up",
        "    at = failure.last_error.at\n    if sink.rejected:",
        "    at = failure.last_error.at + timedelta(days=9)\n    if sink.rejected:",
        "the variable lags behind",
        seed=2,
    ),
    Mutation(
        "a sink that was changed is not checked",
        "    return last + settings.verify_every\n\n\ndef sink_due_at",
        "    return _NEVER\n\n\ndef sink_due_at",
        "the variable lags behind",
    ),
    # --- what is reported ---
    Mutation(
        "the end of the held token is not reported",
        "outage_at=token.expires_at if token and last_error else None,",
        "outage_at=None,",
        "the end of the held token is not reported",
    ),
)
