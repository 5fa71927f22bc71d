"""Identities: the question that a token comes to, and what Keystone's own answer comes to."""


def question(answer):
    """What an edge asks for a token that Keystone says this of.

    Keystone presents a trustor in the place of the trustee that the token carries.
    """
    question = {"user": answer["user"]["id"], "scope": _scope(answer)}
    if trust := answer.get("OS-TRUST:trust"):
        question["user"] = trust["trustee_user"]["id"]
        question["delegation"] = {"trust": trust["id"]}
    if application_credential := answer.get("application_credential"):
        question["delegation"] = {"application_credential": application_credential["id"]}
    if oauth1 := answer.get("OS-OAUTH1"):
        question["delegation"] = {"access_token": oauth1["access_token_id"]}
    if federation := answer["user"].get("OS-FEDERATION"):
        question["federation"] = {
            "groups": [group["id"] for group in federation["groups"]],
            "identity_provider": federation["identity_provider"]["id"],
            "protocol": federation["protocol"]["id"],
        }
    return question


def presented(answer):
    """The record that says the same as Keystone's answer."""
    user = answer["user"]
    record = {"user": {"id": user["id"], "name": user["name"], "domain": user["domain"]}}
    record["roles"] = _roles(answer.get("roles", []))
    for name in ("project", "domain", "is_admin_project"):
        if name in answer:
            record[name] = answer[name]
    if answer.get("is_domain"):
        record["is_domain"] = True
    if "system" in answer:
        record["is_system"] = True
    if user.get("password_expires_at"):
        record["password_expires_at"] = user["password_expires_at"]
    if trust := answer.get("OS-TRUST:trust"):
        record["trust"] = {
            "id": trust["id"],
            "impersonation": trust["impersonation"],
            "trustor_user_id": trust["trustor_user"]["id"],
            "trustee_user_id": trust["trustee_user"]["id"],
        }
    if application_credential := answer.get("application_credential"):
        record["application_credential"] = dict(application_credential)
        if rules := application_credential.get("access_rules"):
            record["application_credential"]["access_rules"] = _sorted(rules)
    if oauth1 := answer.get("OS-OAUTH1"):
        record["oauth1"] = oauth1
    return record


def comparable(record):
    """A record of the key server's without what Keystone does not say."""
    record = dict(record, roles=_sorted(record["roles"]))
    record.pop("expires_at", None)
    if "trust" in record:
        record["trust"] = {k: v for k, v in record["trust"].items() if k != "trustee_domain_id"}
    if rules := record.get("application_credential", {}).get("access_rules"):
        application_credential = dict(record["application_credential"], access_rules=_sorted(rules))
        record["application_credential"] = application_credential
    return record


def _scope(answer):
    for kind in ("project", "domain"):
        if kind in answer:
            return {kind: answer[kind]["id"]}
    return "system" if "system" in answer else "unscoped"


def _roles(roles):
    """By id. Of some tokens' roles Keystone shows all that it has."""
    told = []
    for role in _sorted(roles):
        own = {"id": role["id"], "name": role["name"]}
        details = {key: value for key, value in role.items() if key not in own}
        told.append(own | ({"details": details} if details else {}))
    return told


def _sorted(parts):
    return sorted(parts, key=lambda part: part["id"])
