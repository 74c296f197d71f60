// openid-client with OpenID Connect: from the issuer's URL to a signed-in user,
// with all of its checks.
import assert from 'node:assert/strict';
import * as client from 'openid-client';
import { allow, approve } from './person.mjs';

const { LATCHKEY_URL, CLIENT_ID, CLIENT_SECRET } = process.env;
const redirect_uri = 'https://wiki.example.com/callback';

// Without an algorithm, the client discovers with OpenID Connect. It also
// checks the signatures of ID tokens, which it skips if TLS is enough.
const config = await client.discovery(new URL(LATCHKEY_URL), CLIENT_ID, undefined, client.ClientSecretBasic(CLIENT_SECRET), {
  execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks],
});
const server = config.serverMetadata();
assert.equal(server.issuer, LATCHKEY_URL);
assert.ok(server.id_token_signing_alg_values_supported.includes('RS256'));
assert.equal(server.supportsPKCE(), true);

async function signIn(more = {}, expected = {}) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const expectedState = client.randomState();
  const expectedNonce = client.randomNonce();
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri, state: expectedState, nonce: expectedNonce, scope: 'openid profile email',
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier), code_challenge_method: 'S256', ...more,
  });
  const checks = { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true, ...expected };
  return client.authorizationCodeGrant(config, await allow(url), checks);
}

const tokens = await signIn();
const claims = tokens.claims();
assert.equal(claims.iss, LATCHKEY_URL);
assert.equal(claims.sub, 'user_ada');
assert.equal(claims.aud, CLIENT_ID);
assert.equal(claims.email, 'ada@example.com');
assert.equal(claims.name, 'Ada Lovelace');
assert.equal(tokens.scope, 'profile email openid');
const user = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
assert.equal(user.email, 'ada@example.com');
await assert.rejects(client.fetchUserInfo(config, tokens.access_token, 'user_grace'), 'it is about another user');

// A refresh returns a new ID token of the same sign-in.
const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
assert.equal(refreshed.claims().sub, claims.sub);
assert.equal(refreshed.claims().auth_time, claims.auth_time);
assert.equal(refreshed.claims().nonce, undefined);

// A sign-in with max_age, and one with an earlier ID token.
const recent = await signIn({ max_age: '60' }, { maxAge: 60 });
assert.ok(recent.claims().auth_time >= claims.auth_time);
const silent = await signIn({ prompt: 'none', id_token_hint: tokens.id_token });
assert.equal(silent.claims().sub, claims.sub);
await assert.rejects(signIn({ prompt: 'none', id_token_hint: 'x' }), e => e.error === 'login_required');

// A nonce of another request.
await assert.rejects(signIn({}, { expectedNonce: 'another' }), e => {
  assert.match(e.cause?.message ?? e.message, /nonce/);
  return true;
});

// A device gets an ID token too.
const device = await client.initiateDeviceAuthorization(config, { scope: 'openid email' });
await approve(device.verification_uri_complete);
const onDevice = await client.pollDeviceAuthorizationGrant(config, device);
assert.equal(onDevice.claims().sub, 'user_ada');
assert.equal(onDevice.claims().email, 'ada@example.com');
console.log('all is well');
