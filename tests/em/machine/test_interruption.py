"""Ctrl-C: the first is noted where there is something to return, the second does what it did."""

import signal
import threading

import pytest

from mixpyro.em.machine.interruption import Interruption, raising

pytestmark = pytest.mark.usefixtures("ctrl_c")


def press():
    signal.raise_signal(signal.SIGINT)


def test_the_first_is_noted_and_the_second_raises():
    with Interruption() as stop:
        stop.ready = True
        press()
        assert stop.asked
        with pytest.raises(KeyboardInterrupt):
            press()


def test_the_first_raises_while_there_is_nothing_to_return():
    with Interruption() as stop:
        with pytest.raises(KeyboardInterrupt):
            press()
        assert not stop.asked


def test_the_handler_is_back_after_an_error():
    with pytest.raises(ZeroDivisionError), Interruption():
        raise ZeroDivisionError
    with pytest.raises(KeyboardInterrupt):
        press()


def test_a_handler_of_the_users_own_gets_the_second():
    heard = []
    signal.signal(signal.SIGINT, lambda *_: heard.append(1))
    with Interruption() as stop:
        stop.ready = True
        press()
        assert (stop.asked, heard) == (True, [])
        press()
        assert heard == [1]
    press()
    assert heard == [1, 1]
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_where_it_is_ignored_it_stays_so():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interruption() as stop:
        stop.ready = True
        press()
        assert not stop.asked
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_another_thread_changes_nothing():
    seen = []

    def run():
        with Interruption():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


def test_one_piece_of_many_is_not_to_be_returned():
    with raising(), Interruption() as stop:
        stop.ready = True
        with pytest.raises(KeyboardInterrupt):
            press()
