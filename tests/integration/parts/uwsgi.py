"""A WSGI application in uWSGI, on a port of its own."""

import re
import sys

from parts.process import Process
from parts.programs import program


class Uwsgi(Process):
    """A process that serves a file's `application`."""

    def serve(self, wsgi_file, requests_path, **environment):
        """Starts two workers, whose access log goes to that path."""
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

    def _bound(self):
        return re.search(r"bound to TCP address 127\.0\.0\.1:(\d+)", self.log())
