"""requests-oauthlib signs in with only the metadata of a provider, and signs out."""
import base64
import hashlib
import os
import secrets

import requests
from oauthlib.oauth2 import AccessDeniedError, InvalidGrantError
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

import person

issuer = os.environ["ISSUER"]
metadata = requests.get(issuer + "/.well-known/oauth-authorization-server").json()
assert metadata["issuer"] == issuer, metadata
client_id, client_secret, method = os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"], os.environ["AUTH_METHOD"]
asked = ["profile", "email", "notes:read"]

# How to make this library authenticate. By default it uses Basic, even without a secret:
# then the password is empty.
to_fetch = {
    "client_secret_basic": {"client_secret": client_secret},
    "client_secret_post": {"client_secret": client_secret, "include_client_id": True},
    "none": {},
}[method]
to_refresh = {
    "client_secret_basic": {"auth": HTTPBasicAuth(client_id, client_secret)},
    "client_secret_post": {"client_id": client_id, "client_secret": client_secret},
    "none": {"client_id": client_id},
}[method]


def sign_in(*ticked, decide=person.allow, **more):
    session = OAuth2Session(client_id, redirect_uri=os.environ["REDIRECT_URI"], scope=asked)
    # Version 1 doesn't support PKCE, so its users add it themselves.
    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    url, _ = session.authorization_url(metadata["authorization_endpoint"], code_challenge=challenge, code_challenge_method="S256", **more)
    answer = decide(url, *ticked)
    return session, session.fetch_token(metadata["token_endpoint"], authorization_response=answer, code_verifier=verifier, **to_fetch)


# Sign in with all requested scopes.
session, token = sign_in()
assert token["token_type"] == "Bearer" and token["expires_in"] > 0, token
assert token["scope"] == asked, token["scope"]
user = session.get(metadata["userinfo_endpoint"])
assert user.status_code == 200 and user.json()["sub"] == "user_ada", user.text
assert session.get(issuer + "/api/notes").json()["notes"] == ["A note of user_ada"]

# A new pair of tokens.
renewed = session.refresh_token(metadata["token_endpoint"], **to_refresh)
assert renewed["access_token"] != token["access_token"] and renewed["refresh_token"] != token["refresh_token"], "they rotate"
assert renewed["scope"] == asked, renewed["scope"]
assert session.get(issuer + "/api/notes").status_code == 200

# The library doesn't send revocations, but prepares the request.
url, headers, body = session._client.prepare_token_revocation_request(
    metadata["revocation_endpoint"].replace("http://", "https://"), renewed["refresh_token"], "refresh_token", **({} if "auth" in to_refresh else to_refresh)
)
answer = requests.post(url.replace("https://", "http://"), headers=headers, data=body, auth=to_refresh.get("auth"))
assert answer.status_code == 200 and answer.json() == {}, answer.text
assert session.get(issuer + "/api/notes").status_code == 401
try:
    session.refresh_token(metadata["token_endpoint"], **to_refresh)
    raise AssertionError("a revoked refresh token was good")
except InvalidGrantError:
    pass

# The user unticks a scope. By default the library takes a different scope for an error,
# and it keeps asking for all of them.
os.environ["OAUTHLIB_RELAX_TOKEN_SCOPE"] = "1"
session, token = sign_in("profile", prompt="consent")
assert token["scope"] == ["profile"], token["scope"]
assert session.get(issuer + "/api/notes").status_code == 403
token = session.refresh_token(metadata["token_endpoint"], **to_refresh)
assert token["scope"] == ["profile"], token["scope"]
assert session.get(metadata["userinfo_endpoint"]).json()["sub"] == "user_ada"
assert session.get(issuer + "/api/notes").status_code == 403

# The user cancels.
try:
    sign_in(decide=person.deny, prompt="consent")
    raise AssertionError("a canceled sign-in gave a token")
except AccessDeniedError:
    pass

print("all is well")
