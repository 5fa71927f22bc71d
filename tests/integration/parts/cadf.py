"""Events by pycadf's own model, with what keystonemiddleware's audit filter adds to it."""

import warnings

from pycadf import cadftaxonomy, cadftype, endpoint, event, host, measurement, metric, reason, resource

with warnings.catch_warnings():
    # It imports all that can send messages.
    warnings.simplefilter("ignore")
    from keystonemiddleware.audit import ClientResource, KeystoneCredential


def read(told):
    """The event as an object of pycadf's, which refuses what its model does not allow.

    Written again, it is what was told: no field of it has a name that pycadf does not know, but for
    those that say more of credentials, and of scopes.
    """
    with warnings.catch_warnings():
        # Not all ids are UUIDs, to Keystone neither.
        warnings.filterwarnings("ignore", message="Invalid uuid")
        made = event.Event(
            eventType=told["eventType"],
            id=told["id"],
            eventTime=told["eventTime"],
            action=told["action"],
            outcome=told["outcome"],
            initiator=_initiator(told["initiator"]),
            target=_resource(told["target"]),
            observer=_resource(told["observer"]),
            reason=reason.Reason(**told["reason"]) if "reason" in told else None,
        )
        made.requestPath = told["requestPath"]
        for tag in told["tags"]:
            made.add_tag(tag)
        for each in told["measurements"]:
            measured = measurement.Measurement(each["result"], metric.Metric(**each["metric"]))
            made.add_measurement(measured)
    assert made.is_valid()
    assert made.reason.is_valid() if "reason" in told else True
    assert made.typeURI == told["typeURI"] == event.TYPE_URI_EVENT
    assert cadftype.is_valid_eventType(told["eventType"])
    assert cadftaxonomy.is_valid_action(told["action"])
    assert made.as_dict() == told
    return made


def tags(told):
    """The tags of an event by name."""
    return dict(tag.split("?value=") for tag in told["tags"])


def _initiator(told):
    rest = dict(told)
    credential = rest.pop("credential", None)
    made = ClientResource(
        **{name: rest.pop(name, None) for name in _KNOWN},
        host=host.Host(**rest.pop("host")),
        credential=_credential(credential) if credential else None,
    )
    assert set(rest) <= {"domain_id", "system_scope"}, rest
    vars(made).update(rest)
    return made


def _credential(told):
    rest = dict(told)
    token = rest.pop("token")
    made = KeystoneCredential(token=token, **{name: rest.pop(name) for name in ("type", "identity_status")})
    # Its half of a token would be a secret still. Ours is none.
    made.token = token
    assert set(rest) <= _MORE_OF_CREDENTIALS, rest
    vars(made).update(rest)
    return made


def _resource(told):
    rest = dict(told)
    addresses = rest.pop("addresses", [])
    made = resource.Resource(**rest)
    for address in addresses:
        made.add_address(endpoint.Endpoint(**address))
    return made


_KNOWN = ("id", "typeURI", "name", "domain", "project_id", "request_id", "global_request_id")
_MORE_OF_CREDENTIALS = {
    "kind",
    "audit_chain_id",
    "access_token_id",
    "application_credential_id",
    "trust_id",
    "trustee_user_id",
}
