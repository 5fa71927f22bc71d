#!/usr/bin/env python3
"""Writes revocations-30.json: random tokens, random events of revocation, and what Keystone says.

The events are written into a table of Keystone's own, in SQLite, and it is Keystone's own statement
and Keystone's own `matches` that find those by which a token is revoked. Needs the packages of
tests/requirements.txt, and no running Keystone. What each section of the file means is in README.md
beside it.

    python tests/vectors/judge_revocations.py           writes revocations-30.json
    python tests/vectors/judge_revocations.py --check   fails if that would change it
"""

import datetime
import importlib.metadata
import pathlib
import random

import keystone.conf
from keystone.common import sql
from keystone.models import revoke_model
from keystone.revoke.backends import sql as backend
from oslo_db import options

import vector_file

CONF = keystone.conf.CONF
OUTPUT = pathlib.Path(__file__).with_name("revocations-30.json")

EVENTS = 400
TOKENS = 300
SEED = 30
START = 1_767_225_600  # 2026-01-01T00:00:00Z

# By which names the things of an event are known in a token.
OF_TOKENS = {
    "user_id": ["user_id", "trustor_id", "trustee_id"],
    "project_id": ["project_id"],
    "domain_id": ["identity_domain_id", "assignment_domain_id"],
    "role_id": ["roles"],
    "trust_id": ["trust_id"],
    "consumer_id": ["consumer_id"],
    "access_token_id": ["access_token_id"],
    "audit_id": ["audit_id"],
    "audit_chain_id": ["audit_chain_id"],
}
# What events name together: first what Keystone 30 writes, then what older ones wrote.
SHAPES = [
    ["user_id"],
    ["audit_id"],
    ["audit_chain_id"],
    ["project_id"],
    ["trust_id"],
    ["consumer_id"],
    ["domain_id"],
    ["user_id", "project_id"],
    ["user_id", "role_id", "project_id"],
    ["user_id", "role_id", "domain_id"],
    ["domain_id", "role_id"],
    ["domain_id", "expires_at"],
    ["project_id", "expires_at", "user_id"],
    ["audit_chain_id", "project_id"],
    ["consumer_id", "access_token_id"],
    ["access_token_id"],
    [],
]


def vectors():
    dice = random.Random(SEED)
    everything = [*OF_TOKENS, "expires_at"]
    others = [[name for name in everything if dice.random() < 0.25] for _ in range(12)]
    events = [random_event(dice, SHAPES + others, number) for number in range(EVENTS)]
    tokens = [random_token(dice) for _ in range(TOKENS)]
    driver = keystone_with(events)
    pairs = 0
    for token in tokens:
        token["revoked_by"] = judged(driver, events, token)
        pairs += len(token["revoked_by"])
    # Neither nearly all nor nearly none: a reader who always said the same would be found out.
    free = sum(not token["revoked_by"] for token in tokens)
    assert TOKENS / 10 < free < TOKENS / 2 and pairs > 1000, (free, pairs)
    return {
        "comment": "Written by judge_revocations.py.",
        "keystone": importlib.metadata.version("keystone"),
        "events": [as_served(event) for event in events],
        "tokens": tokens,
    }


def random_event(dice, shapes, number):
    """The columns of a row of Keystone's table; all times are seconds."""
    fields = dice.choice(shapes)
    event = {name: random_id(dice, name) for name in fields if name != "expires_at"}
    if "expires_at" in fields:
        event["expires_at"] = random_end(dice)
    # An event that names nothing ends all tokens of its time: one from the beginning leaves some.
    latest = START + (dice.randrange(20) if fields else 2)
    # The time of revocation is none of what is compared; here it tells the events apart.
    return {**event, "issued_before": latest, "revoked_at": START + 100 + number}


def random_token(dice):
    """What Keystone's `build_token_values` makes of a token; all times are seconds."""
    token = dict.fromkeys(name for names in OF_TOKENS.values() for name in names)
    token |= {"issued_at": START + dice.randrange(30), "expires_at": random_end(dice)}
    for name in ("user_id", "identity_domain_id", "audit_id"):
        token[name] = random_id(dice, column_of(name))
    for name, chance in (("project_id", 0.5), ("assignment_domain_id", 0.4), ("audit_chain_id", 0.5)):
        if dice.random() < chance:
            token[name] = random_id(dice, column_of(name))
    if dice.random() < 0.3:
        for name in ("trust_id", "trustor_id", "trustee_id"):
            token[name] = random_id(dice, column_of(name))
    if dice.random() < 0.3:
        for name in ("consumer_id", "access_token_id"):
            token[name] = random_id(dice, column_of(name))
    token["roles"] = sorted({random_id(dice, "role_id") for _ in range(dice.randrange(4))})
    return token


def column_of(name):
    return next(column for column, names in OF_TOKENS.items() if name in names)


def random_id(dice, column):
    """Few enough that many are the same."""
    return f"{column.removesuffix('_id')}-{dice.randrange(12)}"


def random_end(dice):
    return START + 3600 + dice.randrange(3)


def keystone_with(events):
    """Keystone's driver, with these rows in its table."""
    keystone.conf.configure()
    CONF([], project="keystone", default_config_files=[], default_config_dirs=[])
    sql.initialize()
    options.set_defaults(CONF, connection="sqlite://")
    table = backend.RevocationEvent.__table__
    with sql.session_for_write() as session:
        table.create(session.get_bind())
        for event in events:
            row = {name: event.get(name) for name in revoke_model.REVOKE_KEYS}
            for name in ("issued_before", "revoked_at", "expires_at"):
                row[name] = row[name] and time(row[name])
            session.add(backend.RevocationEvent(**row))
    return backend.Revoke()


def judged(driver, events, token):
    """The numbers of the events by which Keystone has the token revoked."""
    values = dict(token)
    for name in ("issued_at", "expires_at"):
        values[name] = time(values[name])
    numbers = {time(event["revoked_at"]): number for number, event in enumerate(events)}
    found = driver.list_events(token=values)
    assert revoke_model.is_revoked(found, values) == any(
        revoke_model.matches(event, values) for event in found
    )
    matching = [numbers[e.revoked_at] for e in found if revoke_model.matches(e, values)]
    # Keystone has a column for the access token, and never compares it. We do.
    access_token = token["access_token_id"]
    return sorted(
        number
        for number in matching
        if events[number].get("access_token_id") in (None, access_token)
    )


def as_served(event):
    """The event as the key server gives it to the filters: `RevokeEvent` moves the domain."""
    event = {name: value for name, value in event.items() if name != "revoked_at"}
    if "domain_id" in event and "expires_at" in event:
        event["domain_scope_id"] = event.pop("domain_id")
    return event


def time(seconds):
    """As Keystone has it: a time of UTC that does not say so."""
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).replace(tzinfo=None)


if __name__ == "__main__":
    vector_file.run(__doc__, OUTPUT, vectors, "keystone 30")
