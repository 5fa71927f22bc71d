"""An application that answers `ok`; behind keystonemiddleware with the options in KEYSTONEMIDDLEWARE,
where there are any."""

import json
import os

from keystonemiddleware.auth_token import AuthProtocol


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]


if _options := json.loads(os.environ["KEYSTONEMIDDLEWARE"]):
    application = AuthProtocol(application, _options)
