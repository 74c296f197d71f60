"""The user of the client: ../host_test.go acts as one, at a browser that is signed in."""
import os

import requests


def allow(address, *scope):
    """Opens an authorization URL, agrees, and returns the final URL of the browser.

    With scopes, every other box is unticked.
    """
    return _visit("allow", address, scope)


def deny(address):
    """Does the same, but presses Cancel."""
    return _visit("deny", address, ())


def _visit(decision, address, scope):
    answer = requests.post(f"{os.environ['PERSON_URL']}/{decision}", params={"scope": scope}, data=address)
    answer.raise_for_status()
    return answer.text
