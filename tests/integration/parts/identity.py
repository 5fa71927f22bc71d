"""The headers by which a service knows its user, as keystonemiddleware itself names them."""

from keystonemiddleware.auth_token._request import _AuthTokenRequest

# All that the middleware removes; the scope that it sets and does not remove, and what that scope
# is called in some services; and a few of ours.
OWNED = sorted(
    {name.lower() for name in _AuthTokenRequest.blank("/")._all_auth_headers()}
    | {"openstack-system-scope", "x-system-scope"}
    | {"x-voussoir-token-kind", "x-voussoir-trust-id", "x-voussoir-no-such-thing"}
)


def identity_headers(headers):
    """The headers, by name, that a service would believe, in whatever spelling they came.

    CGI and WSGI make one variable of X-User-Id, x_user_id and X-User_ID.
    """
    found = {}
    for name, value in headers:
        folded = name.lower().replace("_", "-")
        if folded in OWNED or folded.startswith("x-voussoir-"):
            assert folded not in found, f"{name} is there twice: {headers}"
            assert name == folded, f"{name} got through: {headers}"
            found[folded] = value
    return found


def spellings(name):
    """Some of the ways to write one name."""
    first_only = name.replace("-", "_", 1)
    last_only = "_".join(name.rsplit("-", 1))
    mixed = "".join(c.upper() if i % 2 else c for i, c in enumerate(name))
    ways = {name, name.upper(), name.title(), mixed, first_only, last_only, last_only.title()}
    return sorted(ways | {name.replace("-", "_"), name.replace("-", "_").upper()})
