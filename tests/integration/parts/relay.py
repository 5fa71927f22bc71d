"""A TCP relay in front of the key server, to hold what goes through it, or to be down."""

import contextlib
import socket
import threading

from parts.ports import bound, port_of


class Relay:
    """Carries connections to a port, or refuses them (`down`), or keeps answers waiting (`hold`).

    Its port stays the same and its own all the time: while it is down, a bound socket that does not
    listen keeps the port from others, and connections are refused as by an empty machine.
    """

    def __init__(self, target):
        self.target = target
        self.open = threading.Event()
        self.open.set()
        self.sockets = set()
        self.threads = []
        self.listener = None
        self.placeholder = bound()
        self.port = port_of(self.placeholder)
        self.up()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.down()
        self.placeholder.close()

    def up(self):
        """From now on connections are carried."""
        self.listener = bound(self.port)
        self.listener.listen(64)
        self.accepting = self._run(self._accept, self.listener)

    def down(self):
        """From now on connections are refused; those that were there are cut, held answers lost."""
        listener, self.listener = self.listener, None
        self.open.set()
        if listener:
            # It wakes the thread that accepts, which must be gone before the sockets are counted.
            listener.shutdown(socket.SHUT_RDWR)
            self.accepting.join(10)
            listener.close()
        for end in list(self.sockets):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(10)
        self.threads.clear()

    def hold(self):
        """Nothing comes back from the target any more; requests still reach it."""
        self.open.clear()

    def release(self):
        self.open.set()

    def carried(self, source, data):
        """A piece of what is asked, for those who want to know."""

    def _run(self, function, *arguments):
        thread = threading.Thread(target=function, args=arguments, name="relay", daemon=True)
        self.threads.append(thread)
        thread.start()
        return thread

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return  # It was shut down.
            try:
                server = socket.create_connection(("127.0.0.1", self.target), 5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            self.sockets |= {client, server}
            self._run(self._carry_both, client, server)

    def _carry_both(self, client, server):
        there = threading.Thread(target=self._carry, args=(client, server, False), daemon=True)
        there.start()
        self._carry(server, client, True)
        there.join()
        self.sockets -= {client, server}
        client.close()
        server.close()

    def _carry(self, source, sink, is_answer):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if is_answer:
                    self.open.wait()
                else:
                    self.carried(source, data)
                if self.listener is None:
                    break
                sink.sendall(data)
        # When one direction ends, so does the other.
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
