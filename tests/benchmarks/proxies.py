"""What a filter costs its proxy for each request, beside what people use today.

`scripts/bench` runs this. Each contender is an Envoy of its own with one worker, which answers by itself;
all of them run all the time, and one after the other is given load, round after round, so that a machine
whose speed drifts is unjust to nobody. What counts are ratios within a round.
"""

import argparse
import contextlib
import dataclasses
import datetime
import json
import os
import pathlib
import re
import statistics
import subprocess
import tempfile
import time
import uuid

import jwt
import msgpack
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import ec

import contenders
import load
import machine
from parts import minting
from parts.ec2 import Cloud
from parts.envoy import Envoy
from parts.keyserver import BEARER_TOKEN, KeyServer
from parts.keystone import Keystone
from parts.signing import UNSIGNED, sign

RESULTS = pathlib.Path("bench/results")

# What every contender is compared with.
BASE = "jwt_authn HS256"
# A contender gets so many distinct tokens where every one is to be new: more than any cache keeps.
DISTINCT = 50_000


class Worker(Envoy):
    """An Envoy with one worker."""

    workers = 1

    def assert_sound(self):
        """Not all of them have a filter of ours: that all was answered 200 is seen in the load."""


def main():
    arguments = parsed()
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        say("starting Keystone, the key server and the proxies ...")
        proxies = start(arguments, directory, stack)
        for envoy, script in proxies.values():
            warm(envoy, script)
        samples = {name: [] for name in proxies}
        for number in range(arguments.rounds):
            say(f"round {number + 1} of {arguments.rounds}")
            for name, (envoy, script) in proxies.items():
                samples[name].append(load.run(envoy, script, arguments.seconds))
        memory = {name: machine.resident(envoy.child.pid) for name, (envoy, _) in proxies.items()}
    report(arguments, samples, memory)


def parsed():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="three rounds of two seconds")
    parser.add_argument("--rounds", type=int, help="how many rounds (9)")
    parser.add_argument("--seconds", type=int, help="how long each contender has load in one (5)")
    parser.add_argument("--only", action="append", metavar="TEXT", help="contenders with this in their names")
    parser.add_argument(
        "--module", type=pathlib.Path, default=os.environ["VOUSSOIR_MODULE"], help="another module"
    )
    arguments = parser.parse_args()
    rounds, seconds = (3, 2) if arguments.quick else (9, 5)
    arguments.rounds = arguments.rounds or rounds
    arguments.seconds = arguments.seconds or seconds
    return arguments


def start(arguments, directory, stack):
    """Every contender's proxy and the load that it gets, by name."""
    keystone = stack.enter_context(Keystone(directory / "keystone"))
    place = directory / "keyserver"
    place.mkdir()
    program = pathlib.Path(os.environ["VOUSSOIR_KEYSERVER"])
    server = stack.enter_context(KeyServer.of_keystone(program, keystone, place))
    proxies = {}
    for name, (filters, requests) in field(keystone, arguments.module).items():
        if arguments.only and name != BASE and not any(text in name for text in arguments.only):
            continue
        place = directory / f"envoy-{len(proxies)}"
        place.mkdir()
        configuration = contenders.bootstrap(filters, server.port)
        envoy = stack.enter_context(Worker(os.environ["ENVOY"], configuration, place))
        proxies[name] = envoy, load.write(requests, place)
    return proxies


def field(keystone, module):
    """The contenders by name, each with its filters and its requests."""
    cloud = Cloud(keystone, "bench")
    holder = cloud.holder("bench")
    token = keystone.user_token("bench", cloud.domain, {"project": {"id": cloud.project}})
    warm_token = [{"x-auth-token": token}]

    claims = {"iss": "bench", "sub": holder.user, "project": cloud.project}
    claims["exp"] = int(time.time()) + 86_400
    secret = uuid.uuid4().bytes + uuid.uuid4().bytes
    symmetric = contenders.symmetric_jwk(secret)
    hs256 = [{"x-auth-token": jwt.encode(claims, secret, "HS256")}]
    private = ec.generate_private_key(ec.SECP256R1())
    public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(private.public_key()))
    es256 = [{"x-auth-token": jwt.encode(claims, private, "ES256")}]

    def voussoir(**sections):
        keyserver = {"cluster": "keyserver", "bearer_token": BEARER_TOKEN}
        return [contenders.wasm(module, {"keyserver": keyserver} | sections)]

    tokens = {"www_authenticate_uri": "http://keystone.example/v3"}
    signatures = {"services": ["s3"], "regions": ["us-east-1"]}
    return {
        "no filter": ([], warm_token),
        "empty wasm filter": ([contenders.wasm(os.environ["EMPTY_FILTER"], {})], warm_token),
        BASE: ([contenders.jwt_authn("HS256", symmetric)], hs256),
        f"{BASE}, cached": ([contenders.jwt_authn("HS256", symmetric, cache_size=1000)], hs256),
        "jwt_authn ES256": ([contenders.jwt_authn("ES256", public)], es256),
        "Voussoir, warm token": (voussoir(token=tokens), warm_token),
        "Voussoir, payload alone": (voussoir(token=tokens | {"identity": "payload"}), warm_token),
        "Voussoir, every token new": (voussoir(token=tokens), fresh_tokens(keystone, token)),
        "Voussoir, SigV4, unsigned payload": (voussoir(sigv4=signatures), [signed(holder.account)]),
    }


def fresh_tokens(keystone, token):
    """Many tokens of the same user and project, each with an audit id of its own."""
    primary = max(keystone.key_repository.iterdir(), key=lambda file: int(file.name)).read_text()
    padded = token + "=" * (-len(token) % 4)
    *fields, _ = msgpack.unpackb(Fernet(primary).decrypt(padded.encode()))
    return [
        {"x-auth-token": minting.seal(primary, msgpack.packb([*fields, [uuid.uuid4().bytes]]))}
        for _ in range(DISTINCT)
    ]


def signed(account):
    """A request that is good for the next quarter of an hour."""
    request = sign(account, "GET", "/bucket/key", host="bench", content=UNSIGNED)
    return {":path": request.path, "Host": "bench"} | dict(request.headers)


def warm(envoy, script):
    """Gives load until all is answered 200: records were fetched, and code was compiled."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return load.run(envoy, script, 1)
        except load.RefusedError:
            if time.monotonic() > deadline:
                raise


def report(arguments, samples, memory):
    """Prints a table, and writes all that was measured into a file."""
    versions = {
        "envoy": first_line(os.environ["ENVOY"], "--version"),
        "voussoir": first_line("git", "describe", "--always", "--dirty"),
    }
    result = {
        "machine": machine.describe(),
        "versions": versions,
        "rounds": arguments.rounds,
        "seconds": arguments.seconds,
        "module_bytes": pathlib.Path(arguments.module).stat().st_size,
        "samples": {name: list(map(dataclasses.asdict, some)) for name, some in samples.items()},
        "resident_bytes": memory,
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d-%H%M%S}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    say(f"\n{result['machine']}\n{versions['envoy']}; all that was measured is in {path}\n")
    say(f"| Contender | CPU of {BASE} | CPU | requests/s | p50 | p99 | Memory |")
    say("|---|---|---|---|---|---|---|")
    for name, rounds in samples.items():
        say(row(name, rounds, samples[BASE], memory[name]))
    say("\nCPU: of the worker, for each request. First as the ratio within a round (least to most).")


def row(name, rounds, base, memory):
    def middle(figure):
        return statistics.median(getattr(sample, figure) for sample in rounds)

    ratios = sorted(mine.cpu / other.cpu for mine, other in zip(rounds, base, strict=True))
    ratio = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    return (
        f"| {name} | {ratio} | {middle('cpu'):.1f} µs | {middle('rate'):,.0f} "
        f"| {middle('p50'):.2f} ms | {middle('p99'):.2f} ms | {memory >> 20} MiB |"
    )


def first_line(*command):
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return re.sub(r"^\S*/", "", text.strip().splitlines()[0])


def say(text):
    print(text, flush=True)


if __name__ == "__main__":
    main()
