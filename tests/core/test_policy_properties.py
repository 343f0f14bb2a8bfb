"""Properties of every decision, after any history."""

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from homey_tokend.core.decision import Blocked, Check, Decision, Deliver, Renew, Verify, Wait
from homey_tokend.core.failure import last_error_of
from homey_tokend.core.policy import decide
from homey_tokend.core.status import view_of
from tests.core.samples import WRONG_CLIENT, WRONG_PASSWORD
from tests.core.strategies import Scene, scenes

#: Histories are slow to build; over many runs each property is tried with many of them.
some = settings(max_examples=40)


def decision(scene: Scene, now: datetime | None = None) -> Decision:
    return decide(scene.state, scene.account, scene.activity, now or scene.now, scene.settings)


@some
@given(scenes())
def test_decide_never_raises_and_a_view_can_always_be_shown(scene: Scene) -> None:
    view = view_of(scene.state, scene.account, scene.activity, scene.now, scene.settings, "url")

    assert isinstance(decision(scene), Renew | Deliver | Verify | Check | Wait | Blocked)
    assert view.token == scene.state.usable(scene.now)


@some
@given(scenes())
def test_a_refresh_never_starts_while_one_is_running(scene: Scene) -> None:
    under_way = replace(scene, activity=replace(scene.activity, refreshing=True))

    assert not isinstance(decision(under_way), Renew | Blocked)


@some
@given(scenes(), st.integers(1, 9), st.floats(0, 0.999), st.booleans())
def test_a_rejection_is_never_tried_before_its_time_unless_forced(
    scene: Scene, times: int, share: float, whole: bool
) -> None:
    sign_in = replace(scene.activity.sign_in, resume_until=None)
    activity = replace(scene.activity, sign_in=sign_in)
    state, account, at = scene.state, scene.account, scene.now
    for _ in range(times):
        if whole:
            state = state.rejected(
                WRONG_CLIENT, digest=activity.sign_in.digests.site, at=at, random=0.0
            )
        else:
            account = account.rejected(
                activity.sign_in.digests.password, last_error_of(WRONG_PASSWORD, at)
            )
    rejection = state.rejection if whole else account.rejection(activity.sign_in.digests.password)
    assert rejection is not None
    later = replace(scene, state=state, account=account, activity=activity)
    now = at + (rejection.until - at) * share
    assume(not (state.request and state.request.forced and now < state.request.until))

    assert not isinstance(decision(later, now), Renew)


@some
@given(scenes())
def test_only_a_usable_token_is_delivered_verified_or_checked(scene: Scene) -> None:
    assume(scene.state.usable(scene.now) is None)

    assert not isinstance(decision(scene), Deliver | Verify | Check)


@some
@given(scenes(holding=True))
def test_a_new_token_is_delivered_to_all_idle_sinks(scene: Scene) -> None:
    fresh = replace(scene, activity=replace(scene.activity, refreshing=True))
    free = tuple(one for one in scene.settings.sinks if one not in scene.activity.delivering)

    made = decision(fresh)

    assert free == (made.targets if isinstance(made, Deliver) else ())


@some
@given(scenes())
def test_a_wait_ends_in_the_future(scene: Scene) -> None:
    made = decision(scene)
    assume(isinstance(made, Wait | Blocked))

    assert isinstance(made, Wait | Blocked)
    assert made.wake is None or made.wake > scene.now
    assert made.until is None or made.until > scene.now


@some
@given(scenes(steady=True), st.floats(0, 1, exclude_min=True, exclude_max=True))
def test_before_the_wake_up_the_decision_stays_the_same(scene: Scene, share: float) -> None:
    made = decision(scene)
    assume(isinstance(made, Wait | Blocked))

    assert isinstance(made, Wait | Blocked)
    rest = (made.wake or scene.now + timedelta(days=400)) - scene.now
    inside = min(rest * share, rest - timedelta(microseconds=1))
    later = decision(scene, scene.now + inside)
    assert type(made) is type(later)
    if isinstance(later, Wait | Blocked):
        assert made.wake == later.wake


@some
@given(scenes(), st.floats(0, 1, exclude_min=True, exclude_max=True))
def test_before_the_wake_up_nothing_is_due_even_after_a_wrong_clock(
    scene: Scene, share: float
) -> None:
    made = decision(scene)
    assume(isinstance(made, Wait | Blocked))

    assert isinstance(made, Wait | Blocked)
    rest = (made.wake or scene.now + timedelta(days=400)) - scene.now
    inside = min(rest * share, rest - timedelta(microseconds=1))
    assert isinstance(decision(scene, scene.now + inside), Wait | Blocked)


@some
@given(scenes())
def test_acting_on_each_decision_ends_in_a_wait(scene: Scene) -> None:
    """Each action changes the state, so a keeper does not act for ever."""
    made = decision(scene)
    for _ in range(6):
        activity = scene.activity
        match made:
            case Renew():
                activity = replace(activity, refreshing=True)
            case Deliver(targets) | Check(targets):
                activity = replace(activity, delivering=activity.delivering | set(targets))
            case Verify():
                activity = replace(activity, verifying=True)
            case Wait() | Blocked():
                return
        scene = replace(scene, activity=activity)
        made = decision(scene)
    raise AssertionError(made)
