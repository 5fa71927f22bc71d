"""An access control list of a service's policies, before that service: by itself, and for one route of several."""

import json
import subprocess

import pytest

from parts import http1
from parts.envoy_config import Listener, plugin

# What oslopolicy-sample-generator writes of some of Nova's policies.
SAMPLE = """\
# Decides what is required for the 'is_admin:True' check to succeed.
#"context_is_admin": "role:admin"

# Default rule for Project level read only APIs.
#"project_reader_api": "role:reader and project_id:%(project_id)s"

# Default rule for Project reader and admin APIs.
#"project_reader_or_admin": "rule:project_reader_api or rule:context_is_admin"

# Show a quota
# GET  /os-quota-sets/{tenant_id}
# Intended scope(s): project
#"os_compute_api:os-quota-sets:show": "rule:project_reader_or_admin"

# Update the quotas
# PUT  /os-quota-sets/{tenant_id}
# Intended scope(s): project
#"os_compute_api:os-quota-sets:update": "rule:context_is_admin"

# List all hypervisors.
# GET  /os-hypervisors
# Intended scope(s): project
#"os_compute_api:os-hypervisors:list": "rule:context_is_admin"
"""
# What an operator has changed.
POLICY = """\
direct_of_one: role:DIRECT and project_id:%s
os_compute_api:os-hypervisors:list: rule:context_is_admin or rule:direct_of_one
"""


@pytest.fixture(scope="module")
def acl(keyserver_program, everyone, tmp_path_factory):
    directory = tmp_path_factory.mktemp("policies")
    sample, rules = directory / "nova.sample.yaml", directory / "policy.yaml"
    sample.write_text(SAMPLE)
    rules.write_text(POLICY % everyone.parent)
    command = [keyserver_program, "policy", "compile", "--sample", sample, "--rules", rules]
    done = subprocess.run([*command, "--prefix", "/v2.1"], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def front(start_envoy, pair, acl):
    compute = {"name": "compute", "to": [{"paths": ["/v2.1/**"]}], "settings": {"acl": acl}}
    token = {"identity": "records"}
    listeners = {
        "whole": Listener(plugin(token=token, acl=acl)),
        "routed": Listener(plugin(token=token, acl={"rules": []}, routes=[compute])),
    }
    with start_envoy(listeners, pair.keyserver.port) as envoy:
        yield envoy


@pytest.mark.parametrize("way", ["whole", "routed"])
def test_who_may_is_what_the_policies_say(front, acl, everyone, issued, way):
    assert any("when_any" in rule for rule in acl["rules"])
    own, other = (f"/v2.1/os-quota-sets/{it}" for it in (everyone.project, everyone.parent))
    hypervisors = "/v2.1/os-hypervisors"
    for method, path, who, status in (
        ("GET", own, "project_scoped", 200),
        ("GET", other, "project_scoped", 403),
        ("GET", own, "of_the_administrator", 200),
        ("GET", other, "of_the_administrator", 200),
        ("GET", own, "with_roles_of_every_origin", 403),
        # Not what the policy is meant for, and no project at all.
        ("GET", own, "system_scoped", 403),
        ("GET", own, "unscoped", 403),
        ("PUT", own, "project_scoped", 403),
        ("PUT", own, "of_the_administrator", 200),
        ("GET", hypervisors, "project_scoped", 403),
        ("GET", hypervisors, "with_roles_of_every_origin", 200),
        ("GET", hypervisors, "of_the_administrator", 200),
        ("GET", "/v2.1/flavors", "of_the_administrator", 403),
    ):
        answer = http1.get(front.ports[way], path, [("x-auth-token", issued[who])], method=method)
        assert answer.status == status, (method, path, who)


def test_the_rule_that_decided_is_named(front, acl, everyone, issued):
    (name,) = (rule["name"] for rule in acl["rules"] if "/v2.1/os-hypervisors" in str(rule["to"]))

    def counted():
        of_rule = f"voussoir_acl_decisions_total;rule={name};action=allow;mode=enforce;route=compute"
        return sum(front.stats(of_rule).values())

    before, headers = counted(), [("x-auth-token", issued["with_roles_of_every_origin"])]
    assert http1.get(front.ports["routed"], "/v2.1/os-hypervisors", headers).status == 200
    assert counted() == before + 1
    denied = "/v2.1/os-hypervisors/none"
    assert http1.get(front.ports["routed"], denied, headers).status == 403
    assert front.details(denied) == "voussoir_acl_denied[default]"
