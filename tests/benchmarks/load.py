"""Load by wrk, as much as its target can bear, and what that takes of it."""

import dataclasses
import re
import subprocess
from collections.abc import Callable

import machine
from parts import http1

# Connections, with one request at a time on each.
CONNECTIONS = 16

# Requests are written once and sent in turn, each with the same body, if any.
_SCRIPT = """\
local requests = {{}}
init = function()
  local body = nil
  local file = io.open("{body}", "rb")
  if file then body = file:read("*a") end
  for line in io.lines("{path}") do
    local headers = {{}}
    for name, value in line:gmatch("([^\\t]+)\\t([^\\t]*)\\t?") do headers[name] = value end
    local method, target = headers[":method"], headers[":path"]
    headers[":method"], headers[":path"] = nil, nil
    requests[#requests + 1] = wrk.format(method, target, headers, body)
  end
end
local n = 0
request = function()
  n = n % #requests + 1
  return requests[n]
end
"""


@dataclasses.dataclass
class Target:
    """Who gets the load."""

    port: int
    # For how many seconds each of those that are measured was on a processor so far.
    clocks: dict[str, Callable[[], float]]
    # Bytes of memory that they have.
    memory: Callable[[], int]
    connections: int = CONNECTIONS
    # That of the proxy, where there is one.
    pid: int | None = None

    def cpu(self):
        """The seconds of each."""
        return {name: clock() for name, clock in self.clocks.items()}


@dataclasses.dataclass
class Sample:
    """What one round came to."""

    requests: int
    # Requests a second.
    rate: float
    # Microseconds on a processor for each request, of all together and of each.
    cpu: float
    parts: dict[str, float]
    # Milliseconds.
    p50: float
    p99: float


class RefusedError(Exception):
    """Not all was answered 200."""


def worker(envoy):
    """The one worker of a proxy."""
    pid = envoy.child.pid
    return Target(
        envoy.ports["bench"],
        {"worker": lambda: machine.scheduled_seconds(pid, "wrk:worker_0")},
        lambda: machine.resident(pid),
        pid=pid,
    )


def write(requests, body, directory):
    """The script that has wrk send these requests in turn: each a dictionary of headers, among which
    `:method` and `:path` may be."""
    lines = directory / "requests.tsv"
    with lines.open("w") as file:
        for request in requests:
            words = {":method": "GET", ":path": "/"} | request
            file.write("\t".join(word for header in words.items() for word in header) + "\n")
    content = directory / "body"
    if body:
        content.write_bytes(body)
    script = directory / "requests.lua"
    script.write_text(_SCRIPT.format(path=lines, body=content))
    return script


def encoded(words):
    """The bytes of such a request, for whoever sends them itself."""
    words = {":method": "GET", ":path": "/", "Host": "bench"} | words
    method, path, host = (words.pop(name) for name in (":method", ":path", "Host"))
    return http1.encode(path, words.items(), method=method, host=host)


def run(target, script, seconds):
    """One round."""
    command = ["wrk", "--threads=1", f"--connections={target.connections}", f"--duration={seconds}s"]
    command += ["--timeout=30s", "--latency", f"--script={script}", f"http://127.0.0.1:{target.port}/"]
    before = target.cpu()
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    busy = {name: seconds - before[name] for name, seconds in target.cpu().items()}
    if "Non-2xx" in text or "Socket errors" in text:
        raise RefusedError(text)
    count = int(re.search(r"(\d+) requests in", text)[1])
    if count == 0:
        raise RefusedError(f"no answer within {seconds} s")
    rate = float(re.search(r"Requests/sec:\s+([0-9.]+)", text)[1])
    parts = {name: 1e6 * seconds / count for name, seconds in busy.items()}
    total = sum(parts.values())
    return Sample(count, rate, total, parts, _latency(text, 50), _latency(text, 99))


def _latency(text, percent):
    number, unit = re.search(rf"(?m)^\s+{percent}%\s+([0-9.]+)(us|ms|s) *$", text).groups()
    return float(number) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit]
