"""The limits on requests and sign-ins that the judge checks, from what the cloud received."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise

from bench.simyear.cloud import Cloud
from bench.simyear.faults import UNKNOWN_GAP
from bench.simyear.loop import BEGIN
from bench.simyear.machine import Machine
from bench.simyear.values import LIFE, SECOND, Login

DAY = timedelta(days=1)
#: Automatic sign-ins of an account that may be rejected in a day.
REJECTED_A_DAY = 4
#: The same for those that a person forced before the next one was due.
FORCED_A_DAY = 2
SPACING = (timedelta(minutes=15), timedelta(hours=1), timedelta(hours=4), DAY)
#: The most requests to a host with a fault in an hour.
MAX_FAILED_REQUESTS = 400
#: The most sign-ins of an account in half of a token's life.
BUDGET, BUDGET_SPAN = 12, LIFE / 2


class SignInLimits:
    """Check the sign-ins of an account; ``report`` is called with each limit that is exceeded."""

    def __init__(
        self, machine: Machine, cloud: Cloud, report: Callable[[datetime, str], None]
    ) -> None:
        self._machine = machine
        self._cloud = cloud
        self._report = report
        self._reported: set[str] = set()

    def on_request(self) -> None:
        """Check the limits after a password was judged, or a request failed."""
        now, failed = self._cloud.clock.truth(), self._cloud.failed_requests
        hour_ago = now - timedelta(hours=1)
        if len(failed) > MAX_FAILED_REQUESTS and failed[-MAX_FAILED_REQUESTS - 1] > hour_ago:
            self._report_once(
                now, f"over {MAX_FAILED_REQUESTS} requests to a failing host within an hour"
            )
        if self.rejected_a_day(50) > REJECTED_A_DAY:
            self._report_once(now, f"over {REJECTED_A_DAY} rejected sign-ins within a day")
        if self.forced_a_day(50) > FORCED_A_DAY:
            self._report_once(
                now, f"over {FORCED_A_DAY} rejected sign-ins within a day were forced"
            )
        self._check_spacing_after_rejections()
        if self.sign_ins_a_span(50) > BUDGET:
            self._report_once(now, f"over {BUDGET} sign-ins within half of a token's life")

    def _check_spacing_after_rejections(self) -> None:
        """Check the wait after rejections that the process knew and could save."""
        newest = self._cloud.logins[-1:]
        early = self._sent_too_early(self._cloud.logins[-50:])
        if newest and not newest[0].forced and newest == early[-1:]:
            self._report(newest[0].at, "rejected credentials are tried again too early")

    def _report_once(self, at: datetime, what: str) -> None:
        if what not in self._reported:
            self._reported.add(what)
            self._report(at, what)

    def check_unknown_answers(self) -> None:
        for before, after in pairwise(self._cloud.logins):
            soon = after.at - before.at < UNKNOWN_GAP - SECOND
            if (
                soon
                and before.unknown
                and not after.forced
                and not self._process_ended(before.at, after.at)
            ):
                self._report(
                    after.at, "a password is sent soon after an answer that did not judge it"
                )

    def _process_ended(self, since: datetime, until: datetime) -> bool:
        """Return whether a process has ended meanwhile."""
        return any(since <= at < until for at in self._machine.kills)

    def rejected_a_day(self, last: int = 0) -> int:
        """Return the most automatic sign-ins rejected within any 24 hours, among the ``last`` ones.

        An accepted sign-in between them ends the count, as it does at a login's lock. If the first
        rejection of new credentials was lost in a kill, the next process tries them as new ones.
        """
        series: list[list[datetime]] = [[]]
        untried: set[str] = set()
        for one in self._cloud.logins[-last:]:
            if one.right and not one.unknown:
                series.append([])
            elif one.rejected and one.automatic and one.password not in untried:
                series[-1].append(one.at)
            if one.fresh and self._may_be_lost(one):
                untried.add(one.password)
            else:
                untried.discard(one.password)
        return max(_max_within(instants, DAY) for instants in series)

    def forced_a_day(self, last: int = 0) -> int:
        """Return the most rejected sign-ins within any 24 hours that a person forced."""
        early = self._sent_too_early(self._cloud.logins[-last:])
        return _max_within([one.at for one in early if one.forced], DAY)

    def sign_ins_a_span(self, last: int = 0) -> int:
        """Return the most sign-ins within any half of a token's life."""
        return _max_within([one.at for one in self._cloud.logins[-last:]], BUDGET_SPAN)

    def _sent_too_early(self, logins: list[Login]) -> list[Login]:
        """Return those that did not wait long enough after rejections of the same password.

        A rejection shortly before a kill may be unknown to the next process.
        """
        early: list[Login] = []
        known: dict[str, tuple[int, datetime]] = {}
        for one in logins:
            count, blocked_until = known.get(one.password, (0, BEGIN))
            if one.rejected and one.at < blocked_until - SECOND:
                early.append(one)
            if one.rejected and not self._may_be_lost(one):
                blocked_until = one.at + SPACING[min(count, len(SPACING) - 1)]
                known[one.password] = count + 1, blocked_until
            elif one.right and not one.unknown:
                known.pop(one.password, None)
        return early

    def _may_be_lost(self, login: Login) -> bool:
        """Return whether the process was killed before it can have saved the answer."""
        return any(login.at <= kill < login.at + 9 * SECOND for kill in self._machine.kills)


def _max_within(instants: list[datetime], span: timedelta) -> int:
    """Return the most of these ordered instants within any such span."""
    most = first = 0
    for last, at in enumerate(instants, 1):
        while at - instants[first] >= span:
            first += 1
        most = max(most, last - first)
    return most
