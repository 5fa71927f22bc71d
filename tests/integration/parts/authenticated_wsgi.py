"""Keystone behind a web server that has authenticated the client, as Apache's modules do.

mod_auth_openidc checks an identity provider's assertion and sets REMOTE_USER, mod_ssl checks the
client's certificate and sets SSL_CLIENT_CERT; Keystone believes both. Here headers stand for what
was checked, so that a test can be anyone.
"""

import urllib.parse

from keystone.wsgi.api import application as keystone


def application(environ, start_response):
    if user := environ.get("HTTP_X_ASSERTED_USER"):
        environ["REMOTE_USER"] = user
    if certificate := environ.get("HTTP_X_CLIENT_CERTIFICATE"):
        environ["SSL_CLIENT_CERT"] = urllib.parse.unquote(certificate)
    return keystone(environ, start_response)
