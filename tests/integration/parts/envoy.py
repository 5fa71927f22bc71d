"""Envoy with the filter in it."""

import json
import re
import subprocess
import urllib.request

from parts.deadline import wait_until
from parts.process import Process


class Envoy(Process):
    """An Envoy; `ports` has the port of each listener by name."""

    workers = 2

    def __init__(self, program, configuration, directory):
        super().__init__("envoy", directory)
        self.access_log_path = directory / "access.log"
        self.access_log_path.touch()
        path = write(configuration, directory)
        admin = directory / "admin-address"
        options = ["--use-dynamic-base-id", "--concurrency", str(self.workers)]
        options += ["--log-level", "warning", "--component-log-level", "wasm:info"]
        # By default access logs are written every ten seconds.
        options += ["--file-flush-interval-msec", "10"]
        self.spawn([program, "-c", path, *options, "--admin-address-path", admin])
        try:
            self.wait_until_ready(lambda: admin.exists() and admin.read_text(), "an admin port")
            self.admin_url = f"http://{admin.read_text()}"
            self.wait_until_ready(self._is_live, "to be live")
            self.ports = self._ports()
        except BaseException:
            super().stop()
            raise

    def stop(self, *arguments):
        """Ends it, and checks that the filter got through all of it."""
        if self.child is None:
            return
        try:
            self.assert_sound()
        finally:
            super().stop(*arguments)

    def assert_sound(self):
        """No instance of the filter was ever lost."""
        reloads = self.stats("vm_reload")
        assert reloads
        assert not any(reloads.values()), reloads
        log = self.log()
        for sign in ("panicked", "Uncaught RuntimeError", "[critical]"):
            assert sign not in log, f"{sign!r} in Envoy's log:\n{log[-4000:]}"
        failed = [e for e in self.access_log() if "wasm_fail_stream" in str(e["details"])]
        assert not failed, failed[:5]

    def admin(self, path):
        """An answer of the admin port."""
        with urllib.request.urlopen(self.admin_url + path, timeout=10) as answer:
            return answer.read().decode()

    def stats(self, part):
        """All counters and gauges with `part` in their names."""
        lines = self.admin(f"/stats?filter={re.escape(part)}").splitlines()
        pairs = (line.rsplit(": ", 1) for line in lines)
        return {name: int(value) for name, value in pairs if value.isdigit()}

    def resident(self):
        """Bytes of memory that it occupies."""
        with open(f"/proc/{self.child.pid}/status") as status:
            line = next(line for line in status if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024

    def wait_for_the_feed(self, listeners=None):
        """Until the change feed has begun at so many listeners, or at all of them, in every thread.

        With that everything may have changed: what was learnt before it is asked about once more, and
        whoever counts questions would count that.
        """
        threads = self.workers + 1
        expected = threads * (len(self.ports) if listeners is None else listeners)
        changes = "voussoir_feed_changes_total"
        wait_until(lambda: sum(self.stats(changes).values()) >= expected, "the change feed", 20)

    def access_log(self, path=None):
        """All entries, or those of one path."""
        lines = self.access_log_path.read_text().splitlines(keepends=True)
        entries = [json.loads(line) for line in lines if line.endswith("\n")]
        return [entry for entry in entries if path in (None, entry["path"])]

    def details(self, path, count=1):
        """What the access log gives as the details of so many requests to a path."""
        entries = wait_until(
            lambda: len(entries := self.access_log(path)) >= count and entries,
            f"{count} entries of {path} in the access log",
        )
        assert len(entries) == count, entries
        details = [entry["details"] for entry in entries]
        return details[0] if count == 1 else details

    def _is_live(self):
        try:
            return self.admin("/ready").startswith("LIVE")
        except OSError:
            return False

    def _ports(self):
        statuses = json.loads(self.admin("/listeners?format=json"))["listener_statuses"]
        addresses = {s["name"]: s["local_address"]["socket_address"] for s in statuses}
        return {name: address["port_value"] for name, address in addresses.items()}


def validate(program, configuration, directory):
    """What `envoy --mode validate` says of a configuration: whether it is right, and why not."""
    directory.mkdir(parents=True, exist_ok=True)
    command = [program, "--mode", "validate", "-c", write(configuration, directory)]
    output = subprocess.STDOUT
    result = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=output, text=True, timeout=60, check=False
    )
    return result.returncode == 0, result.stdout


def write(configuration, directory):
    path = directory / "envoy.json"
    path.write_text(json.dumps(configuration, indent=1))
    return path
