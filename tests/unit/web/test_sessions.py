from node.web import sessions
from node.web.sessions import LoginLimiter, Sessions


class Clock:
    def __init__(self):
        self.at_s = 100.0

    def __call__(self):
        return self.at_s


def test_a_session_lives_as_long_as_it_is_used():
    clock = Clock()
    kept = Sessions(60, clock)
    session = kept.open(is_member=True)
    for _ in range(5):
        clock.at_s += 50
        assert kept.find(session.key) == session
    clock.at_s += 61
    assert kept.find(session.key) is None
    assert kept.find(session.key) is None


def test_a_closed_or_unknown_session_is_none():
    kept = Sessions(60, Clock())
    session = kept.open(is_member=False)
    kept.close(session)
    assert [kept.find(key) for key in (session.key, "other", "", None)] == [None] * 4


def test_visitors_without_a_login_do_not_push_members_out():
    clock = Clock()
    kept = Sessions(60, clock)
    member = kept.open(is_member=True)
    first = kept.open(is_member=False)
    for _ in range(sessions._MOST_SESSIONS):
        kept.open(is_member=False)
    assert kept.find(member.key) == member
    assert kept.find(first.key) is None


def test_a_form_belongs_to_one_session():
    kept = Sessions(60, Clock())
    one, other = kept.open(is_member=True), kept.open(is_member=True)
    assert one.is_form(one.form_token)
    assert not one.is_form(other.form_token)
    assert not one.is_form("é")


def test_an_address_waits_longer_after_each_failure_and_others_do_not():
    clock = Clock()
    limiter = LoginLimiter(clock)
    for _ in range(5):
        assert limiter.wait_s("a") == 0
        limiter.failed("a")
    assert limiter.wait_s("a") == 30
    assert limiter.wait_s("b") == 0
    clock.at_s += 30
    assert limiter.wait_s("a") == 0
    limiter.failed("a")
    assert limiter.wait_s("a") == 60
    for _ in range(40):
        limiter.failed("a")
    assert limiter.wait_s("a") == 900
    limiter.succeeded("a")
    assert limiter.wait_s("a") == 0
