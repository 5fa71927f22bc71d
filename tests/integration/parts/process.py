"""A part that is a process of its own, with its output in a log."""

import contextlib
import os
import signal
import subprocess
from typing import ClassVar

from parts.deadline import wait_until


class Process:
    """A child process. `with` ends it, whatever happened."""

    # Those that run now, so that their logs can be shown when a test fails.
    running: ClassVar[list["Process"]] = []

    def __init__(self, name, directory):
        self.name = name
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.log_path = directory / f"{name}.log"
        self.child = None

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()

    def spawn(self, command, **environment):
        """Starts the child. It gets a session of its own, so that Ctrl-C ends it by our hand."""
        with self.log_path.open("ab") as log:
            self.child = subprocess.Popen(
                [str(word) for word in command],
                cwd=self.directory,
                env=os.environ | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        Process.running.append(self)

    def log(self):
        """All that was written so far."""
        with contextlib.suppress(FileNotFoundError):
            return self.log_path.read_text(errors="replace")
        return ""

    def wait_until_ready(self, condition, what, seconds=30.0):
        """Like `wait_until`, but ends at once when the child does."""

        def is_ready():
            status = self.child.poll()
            assert status is None, f"{self.name} ended with {status}:\n{self.log()[-4000:]}"
            return condition()

        return wait_until(is_ready, f"{self.name}: {what}", seconds)

    def stop(self, signal_number=signal.SIGTERM):
        """Ends the child, and waits until it is gone."""
        if self.child is None:
            return
        child, self.child = self.child, None
        Process.running.remove(self)
        child.send_signal(signal_number)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            # Its own session is its own group: what it started ends with it.
            os.killpg(child.pid, signal.SIGKILL)
            child.wait(10)
