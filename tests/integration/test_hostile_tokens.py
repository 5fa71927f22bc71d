"""Tokens that nobody issued: each is refused, and none costs a worker its filter."""

import random

import pytest

from parts import http1, minting
from parts.identity import identity_headers


def statuses(envoy, path, tokens, listener="enforce"):
    """The status for each token."""
    requests = [http1.encode(path, [("x-auth-token", token)]) for token in tokens]
    responses = http1.in_turn(envoy.ports[listener], requests)
    return [response.status for response in responses]


def assert_all_refused(envoy, upstream, path, tokens):
    """All are refused, and none reaches the service; gives the reasons that the access log has."""
    assert set(statuses(envoy, path, tokens)) == {401}
    assert not upstream.requests_to(path)
    return set(envoy.details(path, len(tokens)))


@pytest.mark.parametrize("name", ["project", "unscoped", "federated_project_groups_20"])
def test_every_single_flipped_bit_is_refused(envoy, upstream, vectors, path, name):
    good = next(v["token"] for v in vectors["positive"] if v["name"] == name)
    octets = minting.decoded(good)
    tokens = []
    for bit in range(len(octets) * 8):
        flipped = bytearray(octets)
        flipped[bit // 8] ^= 1 << bit % 8
        tokens.append(minting.encoded(flipped))
    details = assert_all_refused(envoy, upstream, path, tokens)
    # Of the version byte eight bits, all others are under the HMAC.
    assert details == {"voussoir_token_malformed", "voussoir_token_not_authentic"}
    assert envoy.details(path, len(tokens)).count("voussoir_token_malformed") == 8


def test_every_flipped_bit_of_the_text_is_refused(envoy, upstream, good_token, path):
    text = good_token.encode()
    tokens = []
    for bit in range(len(text) * 8):
        flipped = bytearray(text)
        flipped[bit // 8] ^= 1 << bit % 8
        # Control characters are the codec's; a last character may be one that the codec trims.
        if 0x20 < flipped[bit // 8] != 0x7F:
            tokens.append(bytes(flipped))
    assert len(tokens) > 1_000
    assert_all_refused(envoy, upstream, path, tokens)


def test_a_token_cut_at_any_length_is_refused(envoy, upstream, good_token, path):
    tokens = [good_token[:length] for length in range(len(good_token))]
    details = assert_all_refused(envoy, upstream, path, tokens)
    assert "voussoir_token_missing" in details, "of no length at all"


def test_a_token_with_more_behind_it_is_refused(envoy, upstream, good_token, path):
    more = ["A", "AA", "AAA", "AAAA", "=", "==", "A" * 64, good_token, "." + good_token]
    tokens = [good_token + tail for tail in more]
    tokens += [minting.encoded(minting.decoded(good_token) + bytes(n)) for n in (1, 16, 32, 1000)]
    assert_all_refused(envoy, upstream, path, tokens)


def test_every_version_byte_but_the_one_is_refused(envoy, upstream, good_token, path):
    rest = minting.decoded(good_token)[1:]
    tokens = [minting.encoded(bytes([version]) + rest) for version in range(256) if version != 0x80]
    assert assert_all_refused(envoy, upstream, path, tokens) == {"voussoir_token_malformed"}


@pytest.mark.parametrize("size", [4097, 8192, 50_000])
def test_a_huge_token_is_refused(envoy, upstream, good_token, path, size):
    tokens = ["A" * size, good_token + "A" * (size - len(good_token)), "g" + "\xff" * (size - 1)]
    assert assert_all_refused(envoy, upstream, path, tokens) == {"voussoir_token_too_long"}


def test_the_limit_of_length_is_exact(envoy, path, primary_key):
    payload = minting.project_payload()
    token = minting.seal(primary_key, payload)
    assert len(token) <= 200
    longer = minting.seal(primary_key, minting.project_payload(user=b"a" * 64))
    assert len(longer) > 200
    assert statuses(envoy, path, [token], "short") == [200]
    assert statuses(envoy, f"{path}/longer", [longer], "short") == [401]
    assert envoy.details(f"{path}/longer") == "voussoir_token_too_long"
    assert statuses(envoy, f"{path}/longest", ["A" * 4096]) == [401]
    assert envoy.details(f"{path}/longest") == "voussoir_token_malformed"
    assert statuses(envoy, f"{path}/beyond", ["A" * 4097]) == [401]
    assert envoy.details(f"{path}/beyond") == "voussoir_token_too_long"


def test_garbage_under_a_right_hmac_is_refused(envoy, upstream, primary_key, path):
    """What only the holder of a key can make: the bytes reach the payload's reader."""
    chance = random.Random(1)
    payloads = [chance.randbytes(chance.randrange(200)) for _ in range(400)]
    # Random bytes are seldom arrays; these are, of the right length and version.
    lengths = [length for length in range(5, 10) for _ in range(60)]
    heads = [bytes([0x90 + length, chance.randrange(12)]) for length in lengths]
    payloads += [head + chance.randbytes(chance.randrange(100)) for head in heads]
    tokens = [minting.seal(primary_key, payload) for payload in payloads]
    details = assert_all_refused(envoy, upstream, path, tokens)
    assert details == {"voussoir_payload_malformed", "voussoir_payload_version_unknown"}


def test_a_damaged_payload_under_a_right_hmac_breaks_nothing(envoy, primary_key, vectors, path):
    """Near to what is right: some of these are, and then their headers are clean."""
    chance = random.Random(2)
    originals = [bytes.fromhex(v["payload_hex"]) for v in vectors["positive"]]
    outcomes = set()
    for _ in range(1_000):
        payload = bytearray(chance.choice(originals))
        for _ in range(chance.randrange(1, 4)):
            place = chance.randrange(len(payload))
            match chance.randrange(4):
                case 0:
                    payload[place] = chance.randrange(256)
                case 1:
                    payload[place] ^= 1 << chance.randrange(8)
                case 2:
                    del payload[place : place + chance.randrange(1, 4)]
                case 3:
                    payload[place:place] = chance.randbytes(chance.randrange(1, 4))
            if not payload:
                break
        token = minting.seal(primary_key, bytes(payload))
        outcomes.add(check_answer(envoy, path, token))
    assert outcomes == {200, 401}


def check_answer(envoy, path, token):
    response = http1.get(envoy.ports["all_kinds"], path, [("x-auth-token", token)])
    assert response.status in (200, 401), response
    if response.status == 200:
        headers = identity_headers(response.json()["headers"])
        assert headers["x-identity-status"] == "Confirmed"
        assert all(ord(c) >= 0x20 and ord(c) != 0x7F for value in headers.values() for c in value)
    return response.status


def test_a_token_expires_to_the_second(envoy, path, primary_key):
    past = minting.seal(primary_key, minting.project_payload(expires_in=-1))
    soon = minting.seal(primary_key, minting.project_payload(expires_in=60))
    assert statuses(envoy, f"{path}/past", [past]) == [401]
    assert envoy.details(f"{path}/past") == "voussoir_token_expired"
    assert statuses(envoy, f"{path}/soon", [soon]) == [200]


def test_a_token_of_another_keystone_is_refused(envoy, path):
    foreign = minting.seal(minting.new_key(), minting.project_payload())
    assert statuses(envoy, path, [foreign]) == [401]
    assert envoy.details(path) == "voussoir_token_not_authentic"
