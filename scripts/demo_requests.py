"""The requests of the demo, and what came of them. `scripts/demo` starts what they need.

    python3 scripts/demo_requests.py --check-ports          fails when something listens already
    python3 scripts/demo_requests.py [--keep] TOKENS.JSON ENVOY.LOG
"""

import http.client
import json
import socket
import sys
import time

PORTS = {"Envoy": 10000, "echo service": 10080, "key server": 10311, "Envoy's admin": 10901}
# What every client could claim, and what must not arrive.
FORGED = {"X-Roles": "admin", "X-User-Id": "root"}


def check_ports():
    taken = []
    for name, port in PORTS.items():
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                taken.append(f"{name}: 127.0.0.1:{port}")
    if taken:
        sys.exit("something listens there already: " + ", ".join(taken))


def get(port, path, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def wait_until_ready():
    deadline = time.monotonic() + 60
    while True:
        try:
            ready = [get(10901, "/ready"), get(10080, "/"), get(10311, "/readyz")]
            if all(response.status == 200 for response, _ in ready):
                return
        except OSError:
            pass
        if time.monotonic() > deadline:
            sys.exit("Envoy, the echo service or the key server did not come up within 60 s")
        time.sleep(0.1)


def show(title, token, expected):
    """Sends one request; whether the answer was the expected one."""
    headers = FORGED | ({"X-Auth-Token": token} if token else {})
    print(f"\n--- {title}")
    print(f"    GET /v2.1/servers   X-Auth-Token: {token[:24] + '...' if token else '(none)'}")
    print("                        " + "   ".join(f"{k}: {v}" for k, v in FORGED.items()))
    response, body = get(10000, "/v2.1/servers", headers)
    print(f"    client got {response.status} {response.reason}")
    if response.status == 200:
        print("    the service saw")
        for name, value in json.loads(body):
            if name.startswith(("x-identity", "x-user", "x-project", "x-roles", "x-voussoir")):
                print(f"        {name}: {value}")
    else:
        for name in ("www-authenticate", "retry-after"):
            if response.getheader(name):
                print(f"        {name}: {response.getheader(name)}")
        print(f"        {body.decode()}")
        print("    the service saw nothing")
    return response.status == expected


def show_access_log(path):
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with open(path, encoding="utf-8") as log:
            lines = [line.rstrip() for line in log if line.startswith("GET /v2.1/servers ")]
        if len(lines) >= 5:
            break
        time.sleep(0.05)
    print("\n--- what Envoy logged (envoy.yaml says how)")
    for line in lines:
        print(f"    {line}")


def show_counters():
    _, stats = get(10901, "/stats/prometheus?filter=voussoir_&usedonly")
    print("\n--- what Envoy counted")
    for line in stats.decode().splitlines():
        if line.startswith("voussoir_"):
            print(f"    {line}")


def keep(tokens):
    print("\n--- still up. Try, in another shell:")
    print(f"    curl -i http://127.0.0.1:10000/ -H 'X-Auth-Token: {tokens['good']}'")
    print(f"    curl -i http://127.0.0.1:10000/ -H 'X-Auth-Token: {tokens['expired']}'")
    print("    curl -i http://127.0.0.1:10000/healthcheck          # needs no token: a bypass")
    print("    curl -s http://127.0.0.1:10901/stats/prometheus?filter=voussoir_")
    print("    Ctrl-C ends everything.", flush=True)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        pass


def main(arguments):
    if arguments == ["--check-ports"]:
        return check_ports()
    wait_until_ready()
    *options, tokens, log = arguments
    with open(tokens, encoding="utf-8") as file:
        tokens = json.load(file)
    as_expected = [
        show("a good token", tokens["good"], 200),
        show("an expired token", tokens["expired"], 401),
        show("a good token with one character altered", tokens["tampered"], 401),
        show("a token made with somebody else's key", tokens["foreign"], 401),
        show("no token", None, 401),
    ]
    show_access_log(log)
    show_counters()
    if not all(as_expected):
        sys.exit("an answer was not the expected one")
    print("\nAll five answers were the expected ones. The proxy asked for keys, and never about a token.")
    if options == ["--keep"]:
        keep(tokens)


main(sys.argv[1:])
