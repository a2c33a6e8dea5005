"""What is followed of the lake is followed no longer once it is closed: a thread within deltalake while Python ends
would bring the process down."""

import threading

from streaming.following import Following


def test_closing_waits_for_the_refresh_that_is_under_way() -> None:
    begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def refresh() -> None:
        begun.set()
        may_end.wait(10)
        ended.set()

    following = Following("a table", refresh)
    following.begin(60, at_once=True)
    assert begun.wait(10)
    closing = threading.Thread(target=following.close)
    closing.start()
    assert closing.is_alive()
    may_end.set()
    closing.join(10)
    assert not closing.is_alive()
    assert ended.is_set()


def test_what_was_never_followed_can_be_closed() -> None:
    Following("a table", lambda: None).close()
