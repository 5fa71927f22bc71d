"""Load on a proxy by wrk, as much as it can bear, and what that takes of the proxy's worker."""

import dataclasses
import re
import subprocess

import machine

# Connections, with one request at a time on each.
CONNECTIONS = 16

# Requests are written once and sent in turn.
_SCRIPT = """\
local requests = {{}}
init = function()
  for line in io.lines("{path}") do
    local headers = {{}}
    for name, value in line:gmatch("([^\\t]+)\\t([^\\t]*)\\t?") do headers[name] = value end
    local method, target = headers[":method"], headers[":path"]
    headers[":method"], headers[":path"] = nil, nil
    requests[#requests + 1] = wrk.format(method, target, headers)
  end
end
local n = 0
request = function()
  n = n % #requests + 1
  return requests[n]
end
"""


@dataclasses.dataclass
class Sample:
    """What one round came to."""

    requests: int
    # Requests a second.
    rate: float
    # Microseconds that the worker was on a processor for each request.
    cpu: float
    # Milliseconds.
    p50: float
    p99: float


class RefusedError(Exception):
    """Not all was answered 200."""


def write(requests, directory):
    """The script that has wrk send these requests in turn: each a dictionary of headers, among which
    `:method` and `:path` may be."""
    lines = directory / "requests.tsv"
    with lines.open("w") as file:
        for request in requests:
            words = {":method": "GET", ":path": "/"} | request
            file.write("\t".join(word for header in words.items() for word in header) + "\n")
    script = directory / "requests.lua"
    script.write_text(_SCRIPT.format(path=lines))
    return script


def run(envoy, script, seconds):
    """One round."""
    port = envoy.ports["bench"]
    command = ["wrk", "--threads=1", f"--connections={CONNECTIONS}", f"--duration={seconds}s"]
    command += ["--latency", f"--script={script}", f"http://127.0.0.1:{port}/"]
    before = machine.thread_seconds(envoy.child.pid, "wrk:worker_0")
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    busy = machine.thread_seconds(envoy.child.pid, "wrk:worker_0") - before
    if "Non-2xx" in text or "Socket errors" in text:
        raise RefusedError(text)
    count = int(re.search(r"(\d+) requests in", text)[1])
    rate = float(re.search(r"Requests/sec:\s+([0-9.]+)", text)[1])
    return Sample(count, rate, 1e6 * busy / count, _latency(text, 50), _latency(text, 99))


def _latency(text, percent):
    number, unit = re.search(rf"(?m)^\s+{percent}%\s+([0-9.]+)(us|ms|s)$", text).groups()
    return float(number) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit]
