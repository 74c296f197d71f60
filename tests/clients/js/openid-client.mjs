// openid-client: from the issuer's URL to a revoked token, registered
// beforehand with a secret, and by itself without one.
import assert from 'node:assert/strict';
import * as client from 'openid-client';
import { allow, deny } from './person.mjs';

const { LATCHKEY_URL, CLIENT_ID, CLIENT_SECRET } = process.env;
const issuer = new URL(LATCHKEY_URL);
const redirect_uri = 'https://wiki.example.com/callback';
const options = { algorithm: 'oauth2', execute: [client.allowInsecureRequests] };

// request makes an authorization request, and the values to check its answer
// with.
async function request(config, more = {}) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const expectedState = client.randomState();
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri, state: expectedState, scope: 'profile email notes:read',
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier), code_challenge_method: 'S256', ...more,
  });
  return { url, checks: { pkceCodeVerifier, expectedState } };
}

// refused expects an error of the library with the answer's error code.
const refused = (call, error, status) => assert.rejects(call, e => {
  assert.equal(e.error, error, e);
  if (status) assert.equal(e.status, status);
  return true;
});

// wholeWay is the complete flow of a client, which can introspect its tokens if
// it has a secret.
async function wholeWay(config, secret) {
  const { url, checks } = await request(config);
  const callback = await allow(url);
  const tokens = await client.authorizationCodeGrant(config, callback, checks);
  assert.equal(tokens.token_type, 'bearer');
  assert.equal(tokens.scope, 'profile email notes:read');
  assert.equal(tokens.expires_in, 7200);

  const api = new URL('/api/notes', issuer);
  const user = await client.fetchUserInfo(config, tokens.access_token, 'user_ada');
  assert.equal(user.name, 'Ada Lovelace');
  assert.equal(user.email, 'ada@example.com');
  assert.equal(user.email_verified, true);
  const notes = await client.fetchProtectedResource(config, tokens.access_token, api, 'GET');
  assert.deepEqual(await notes.json(), { notes: ['A note of user_ada'] });
  if (secret) {
    const live = await client.tokenIntrospection(config, tokens.access_token);
    assert.equal(live.active, true);
    assert.equal(live.client_id, config.clientMetadata().client_id);
    assert.equal(live.sub, 'user_ada');
  } else {
    await refused(client.tokenIntrospection(config, tokens.access_token), 'invalid_client', 401); // RFC 7662 section 2.1
  }

  // A refresh may ask for less, and gives new tokens.
  const fewer = await client.refreshTokenGrant(config, tokens.refresh_token, { scope: 'profile' });
  assert.equal(fewer.scope, 'profile');
  assert.notEqual(fewer.access_token, tokens.access_token);
  assert.notEqual(fewer.refresh_token, tokens.refresh_token);
  const narrow = await client.fetchUserInfo(config, fewer.access_token, 'user_ada');
  assert.equal(narrow.email, undefined);
  await assert.rejects(client.fetchProtectedResource(config, fewer.access_token, api, 'GET'), e => {
    assert.equal(e.code, 'OAUTH_WWW_AUTHENTICATE_CHALLENGE');
    assert.equal(e.status, 403);
    assert.equal(e.cause[0].parameters.error, 'insufficient_scope');
    assert.equal(e.cause[0].parameters.scope, 'notes:read');
    return true;
  });
  const more = await client.refreshTokenGrant(config, fewer.refresh_token);
  assert.equal(more.scope, 'profile email notes:read');

  await client.tokenRevocation(config, more.refresh_token);
  await assert.rejects(client.fetchUserInfo(config, more.access_token, 'user_ada'), e => {
    assert.equal(e.status, 401);
    assert.equal(e.cause[0].parameters.error, 'invalid_token');
    return true;
  });
  await refused(client.refreshTokenGrant(config, more.refresh_token), 'invalid_grant', 400);
  if (secret) assert.deepEqual(await client.tokenIntrospection(config, more.access_token), { active: false });
}

// notAnAnswer expects the error for a parameter of an answer that doesn't
// match.
const notAnAnswer = parameter => e => {
  assert.equal(e.code, 'OAUTH_INVALID_RESPONSE');
  assert.match(e.cause.message, new RegExp(`"${parameter}"`));
  return true;
};

async function refusals(config) {
  // The user cancels.
  let { url, checks } = await request(config, { prompt: 'consent' });
  const canceled = await deny(url);
  await refused(client.authorizationCodeGrant(config, canceled, checks), 'access_denied');

  // An answer to another request: the state or the issuer differs.
  ({ url, checks } = await request(config));
  const callback = await allow(url);
  await assert.rejects(client.authorizationCodeGrant(config, callback, { ...checks, expectedState: 'another' }),
    notAnAnswer('state'));
  const mixedUp = new URL(callback);
  mixedUp.searchParams.set('iss', 'https://elsewhere.example.com');
  await assert.rejects(client.authorizationCodeGrant(config, mixedUp, checks), notAnAnswer('iss'));

  // A verifier of another request, and a code that is used twice.
  const other = { ...checks, pkceCodeVerifier: client.randomPKCECodeVerifier() };
  await refused(client.authorizationCodeGrant(config, callback, other), 'invalid_grant', 400);
  ({ url, checks } = await request(config));
  const twice = await allow(url);
  const tokens = await client.authorizationCodeGrant(config, twice, checks);
  await refused(client.authorizationCodeGrant(config, twice, checks), 'invalid_grant', 400);
  await refused(client.refreshTokenGrant(config, tokens.refresh_token), 'invalid_grant', 400); // RFC 6749 section 4.1.2

  // An unregistered redirect URI gets no answer at all.
  ({ url } = await request(config, { redirect_uri: 'https://elsewhere.example.com/callback' }));
  const page = await fetch(url, { redirect: 'manual' });
  assert.equal(page.status, 400);
  assert.equal(page.headers.get('location'), null);
}

for (const authentication of [client.ClientSecretBasic(CLIENT_SECRET), client.ClientSecretPost(CLIENT_SECRET)]) {
  await wholeWay(await client.discovery(issuer, CLIENT_ID, undefined, authentication, options), true);
}
const impostor = authentication => client.discovery(issuer, CLIENT_ID, undefined, authentication, options);
await refused(client.refreshTokenGrant(await impostor(client.ClientSecretPost('wrong')), 'x'), 'invalid_client', 401);
await assert.rejects(client.refreshTokenGrant(await impostor(client.ClientSecretBasic('wrong')), 'x'), e => {
  assert.equal(e.status, 401);
  assert.equal(e.cause[0].scheme, 'basic'); // RFC 6749 section 5.2
  return true;
});

const registered = await client.dynamicClientRegistration(issuer, {
  client_name: 'Unknown wiki', redirect_uris: [redirect_uri], token_endpoint_auth_method: 'none',
  grant_types: ['authorization_code', 'refresh_token'],
}, client.None(), options);
assert.notEqual(registered.clientMetadata().client_id, CLIENT_ID);
await wholeWay(registered, false);
await refusals(registered);
console.log('all is well');
