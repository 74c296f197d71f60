"""The person who uses the client: ../host_test.go plays them, at a browser that is signed in."""
import os

import requests


def allow(address, *scope):
    """Opens an authorization URL, agrees, and returns where the browser is sent in the end.

    With scopes, every other box is unticked.
    """
    return _visit("allow", address, scope)


def deny(address):
    """The same of somebody who presses Cancel."""
    return _visit("deny", address, ())


def _visit(decision, address, scope):
    answer = requests.post(f"{os.environ['PERSON_URL']}/{decision}", params={"scope": scope}, data=address)
    answer.raise_for_status()
    return answer.text
