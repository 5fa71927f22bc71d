"""The program that stands beside a proxy (tests/benchmarks/neighbours)."""

import re

import machine
from parts.process import Process


class Neighbour(Process):
    """It takes bodies, checks tokens, or stands in for a key server."""

    def __init__(self, program, directory, *arguments):
        super().__init__(arguments[0], directory)
        self.spawn([program, *arguments])
        try:
            found = self.wait_until_ready(self._address, "to listen")
        except BaseException:
            self.stop()
            raise
        self.port = int(found[1])

    def cpu(self):
        return machine.scheduled_seconds(self.child.pid)

    def memory(self):
        return machine.resident(self.child.pid)

    def _address(self):
        return re.search(r"listening on http://127\.0\.0\.1:(\d+)", self.log())
