"""Authlib signs in with only the metadata of a provider, and signs out."""
import os

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session

import person

issuer = os.environ["ISSUER"]
metadata = requests.get(issuer + "/.well-known/oauth-authorization-server").json()
assert metadata["issuer"] == issuer, metadata


def new_session(scope, **more):
    return OAuth2Session(
        os.environ["CLIENT_ID"],
        os.environ["CLIENT_SECRET"] or None,
        scope=scope,
        redirect_uri=os.environ["REDIRECT_URI"],
        token_endpoint_auth_method=os.environ["AUTH_METHOD"],
        revocation_endpoint_auth_method=os.environ["AUTH_METHOD"],
        code_challenge_method="S256",
        token_endpoint=metadata["token_endpoint"],
        **more,
    )


def sign_in(session, *ticked, **more):
    verifier = generate_token(48)
    url, state = session.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier, **more)
    answer = person.allow(url, *ticked)
    return session.fetch_token(authorization_response=answer, state=state, code_verifier=verifier)


# Sign in with all requested scopes.
session = new_session("profile email notes:read")
token = sign_in(session)
assert token["token_type"] == "Bearer" and token["expires_in"] > 0, token
assert token["scope"] == "profile email notes:read", token["scope"]
user = session.get(metadata["userinfo_endpoint"])
assert user.status_code == 200 and user.json()["sub"] == "user_ada", user.text
assert session.get(issuer + "/api/notes").json()["notes"] == ["A note of user_ada"]

# Authlib refreshes an expired token by itself.
updated = []
session.update_token = lambda token, refresh_token=None, access_token=None: updated.append(dict(token))
before = token["access_token"]
session.token = {**token, "expires_at": 1}
assert session.get(issuer + "/api/notes").status_code == 200
assert len(updated) == 1 and updated[0]["access_token"] != before, updated
assert updated[0]["refresh_token"] != token["refresh_token"], "they rotate"
assert updated[0]["scope"] == "profile email notes:read", updated[0]["scope"]

# Only clients that can authenticate may introspect.
if os.environ["CLIENT_SECRET"]:
    said = session.introspect_token(metadata["introspection_endpoint"], token=session.token["access_token"], token_type_hint="access_token").json()
    assert said["active"] and said["client_id"] == session.client_id and said["scope"] == "profile email notes:read", said

# Revoking the refresh token ends the sign-in.
kept = dict(session.token)
answer = session.revoke_token(metadata["revocation_endpoint"], token=kept["refresh_token"], token_type_hint="refresh_token")
assert answer.status_code == 200 and answer.json() == {}, answer.text
assert session.get(issuer + "/api/notes").status_code == 401
try:
    session.refresh_token(metadata["token_endpoint"], refresh_token=kept["refresh_token"])
    raise AssertionError("a revoked refresh token was good")
except OAuthError as e:
    assert e.error == "invalid_grant", e

# The user unticks a scope. Authlib keeps asking for all of them.
session = new_session("profile email notes:read")
token = sign_in(session, "profile", prompt="consent")
assert token["scope"] == "profile", token["scope"]
assert session.get(issuer + "/api/notes").status_code == 403
token = session.refresh_token(metadata["token_endpoint"])
assert token["scope"] == "profile", token["scope"]
assert session.get(metadata["userinfo_endpoint"]).json()["sub"] == "user_ada"
assert session.get(issuer + "/api/notes").status_code == 403

# The user cancels.
session = new_session("profile")
url, state = session.create_authorization_url(metadata["authorization_endpoint"], code_verifier=generate_token(48), prompt="consent")
answer = person.deny(url)
assert "error=access_denied" in answer and f"state={state}" in answer, answer

print("all is well")
