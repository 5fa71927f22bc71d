"""Waiting for a condition, never for a time."""

import time


def wait_until(condition, what, seconds=10.0, pause=0.02):
    """Asks `condition` again and again until it gives something true, and returns that."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() >= end:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(pause)


def wait_for_status(ask, status, what, seconds=10.0):
    """Asks until an answer has this status, and returns that very one: what one worker of a proxy knows,
    its fellow may not know yet, who may get the next question."""

    def answered():
        answer = ask()
        return answer if answer.status == status else None

    return wait_until(answered, what, seconds)


def holds_for(condition, what, seconds, pause=0.02):
    """Asks `condition` again and again for a while; it must be true each time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert condition(), what
        time.sleep(pause)
