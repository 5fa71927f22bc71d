"""A WSGI application in uWSGI, on a port of its own."""

import os
import re
import sys

from parts import http1
from parts.deadline import wait_until
from parts.process import Process
from parts.programs import program


class Uwsgi(Process):
    """A process that serves a file's `application`."""

    def serve(self, wsgi_file, requests_path, **environment):
        """Starts two workers, whose access log goes to that path."""
        self.requests_path = requests_path
        options = {
            "--http-socket": "127.0.0.1:0",
            # It closes connections without saying so, unless it is made to say so.
            "--add-header": "Connection: close",
            "--home": sys.prefix,
            "--wsgi-file": wsgi_file,
            "--processes": 2,
            "--threads": 1,
            "--buffer-size": 65535,
            "--logger": "stdio",
            "--req-logger": f"file:{requests_path}",
            "--log-format": "%(method) %(uri) %(status)",
        }
        flags = ["--master", "--die-on-term", "--need-app", "--lazy-apps", "--no-orphans"]
        words = [word for option in options.items() for word in option]
        self.spawn([program("uwsgi"), *flags, *words], **environment)

    def bound_port(self):
        """Waits until it is there."""
        return int(self.wait_until_ready(self._bound, "to bind a port")[1])

    def requests(self):
        """Every request that it ever got, from its own access log.

        A worker writes a line after the answer, and before it takes another request. So one is kept
        busy by half a request, while the other answers a whole one; then both have written all.
        """
        marker = f"marker={os.urandom(8).hex()}"
        request = http1.encode(f"/?{marker}")
        with http1.Connection(self.port) as half, http1.Connection(self.port) as whole:
            half.send(request[:-2])
            whole.send(request)
            assert whole.response()
            half.send(request[-2:])
            assert half.response()
        wait_until(lambda: self._log().count(marker) == 2, f"the access log of {self.name}")
        return [line for line in self._log().splitlines() if "marker=" not in line]

    def _log(self):
        return self.requests_path.read_text()

    def _bound(self):
        return re.search(r"bound to TCP address 127\.0\.0\.1:(\d+)", self.log())
