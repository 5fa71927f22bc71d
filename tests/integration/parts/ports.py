"""Ports that are nobody else's before whoever is told of them listens there."""

import contextlib
import socket


def bound(port=0):
    """A socket on a port, by default on one of the system's choice, which does not listen.

    While it is there the system gives the port to nobody, and connections are refused as by an empty
    machine; but whoever names the port and sets SO_REUSEADDR, as servers do, can listen there.
    """
    end = socket.socket()
    end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    end.bind(("127.0.0.1", port))
    return end


def port_of(end):
    return end.getsockname()[1]


@contextlib.contextmanager
def held(count):
    """So many ports, for those who start meanwhile and need some time until they listen."""
    with contextlib.ExitStack() as stack:
        yield [port_of(stack.enter_context(bound())) for _ in range(count)]
