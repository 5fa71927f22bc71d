"""The machine that a benchmark runs on, and what its processes take of it."""

import contextlib
import datetime
import importlib.metadata
import os
import pathlib
import platform
import re
import socket
import subprocess
import sys


def cpu_seconds(pid):
    """User and system time of a process (proc(5))."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def scheduled_seconds(pid, thread=None):
    """The time that the threads of a process, or those of this name, were on a processor, to the
    nanosecond."""
    nanoseconds = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        if thread in (None, (task / "comm").read_text().strip()):
            nanoseconds += int((task / "schedstat").read_text().split()[0])
    return nanoseconds / 1e9


def keep_to(pid, processor):
    """Has all threads of a process run on this processor alone."""
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), [processor])


@contextlib.contextmanager
def awake():
    """Keeps every processor busy with what gives way to anything else, so that a hypervisor does not give
    it to somebody else whenever it is idle for a moment."""

    def idle():
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))

    command = [sys.executable, "-c", "while True: pass"]
    loops = [subprocess.Popen(command, preexec_fn=idle) for _ in os.sched_getaffinity(0)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def family(pid):
    """A process and all that it started."""
    parents = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = path.read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue  # It has ended.
        parents.setdefault(int(parent), []).append(int(path.parent.name))
    found, left = [], [pid]
    while left:
        found.append(left.pop())
        left += parents.get(found[-1], [])
    return found


def resident(pid):
    """Bytes of memory."""
    pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def free_port():
    """A port that nobody listens on; for programs that cannot say which one the system gave them."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        return held.getsockname()[1]


def first_line(*command):
    """What a program says first, without the directory that it is in."""
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    return re.sub(r"^\S*/", "", (result.stdout or result.stderr).strip().splitlines()[0])


def versions():
    """Of what every benchmark has."""
    return {
        "voussoir": first_line("git", "describe", "--always", "--dirty"),
        "envoy": first_line(os.environ["ENVOY"], "--version"),
        "linux": platform.release(),
        "python": platform.python_version(),
        "keystone": importlib.metadata.version("keystone"),
        "wrk": first_line("wrk", "--version").split(" [")[0],
    }


def describe():
    cpu = re.search(r"(?m)^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    system = platform.freedesktop_os_release()["PRETTY_NAME"]
    date = datetime.datetime.now(datetime.UTC).date()
    cores = len(os.sched_getaffinity(0))
    name = cpu[1] if cpu else platform.machine()
    return f"{date}: {name}, {cores} cores, {memory} GiB, {system}"
