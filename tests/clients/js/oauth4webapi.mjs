// oauth4webapi: each request separately, with the library's strict checks of
// each answer. The client registers itself, with a secret and without one.
import assert from 'node:assert/strict';
import * as oauth from 'oauth4webapi';
import { allow, approve } from './person.mjs';

const issuer = new URL(process.env.LATCHKEY_URL);
const redirectURI = 'http://127.0.0.1:4711/callback';
const none = oauth.None();
const insecure = { [oauth.allowInsecureRequests]: true };

const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }));
assert.ok(as.code_challenge_methods_supported.includes('S256'));
assert.equal(as.authorization_response_iss_parameter_supported, true);

async function register(metadata) {
  const response = await oauth.dynamicClientRegistrationRequest(as, {
    client_name: 'Unknown wiki', redirect_uris: [redirectURI], ...metadata,
  }, insecure);
  return oauth.processDynamicClientRegistrationResponse(response);
}

// authorize runs the flow up to the code.
async function authorize(client, redirect_uri = redirectURI) {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const url = new URL(as.authorization_endpoint);
  url.search = new URLSearchParams({
    client_id: client.client_id, redirect_uri, response_type: 'code', scope: 'profile notes:read', state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
  });
  return { callback: await allow(url), verifier, state };
}

// use calls the API, refreshes, and revokes.
async function use(client, auth, tokens) {
  assert.equal(tokens.scope, 'profile notes:read');
  assert.equal(tokens.expires_in, 7200);
  const user = await oauth.processUserInfoResponse(as, client, 'user_ada',
    await oauth.userInfoRequest(as, client, tokens.access_token, insecure));
  assert.equal(user.preferred_username, 'ada');
  const api = token => oauth.protectedResourceRequest(token, 'GET', new URL('/api/notes', issuer), undefined, undefined, insecure);
  assert.deepEqual(await (await api(tokens.access_token)).json(), { notes: ['A note of user_ada'] });

  const refresh = async token => oauth.processRefreshTokenResponse(as, client,
    await oauth.refreshTokenGrantRequest(as, client, auth, token, insecure));
  const newer = await refresh(tokens.refresh_token);
  assert.notEqual(newer.refresh_token, tokens.refresh_token);
  assert.equal((await api(newer.access_token)).status, 200);

  const introspect = async () => oauth.processIntrospectionResponse(as, client,
    await oauth.introspectionRequest(as, client, auth, newer.access_token, insecure));
  const secret = auth !== none;
  if (secret) assert.equal((await introspect()).active, true);
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, auth, newer.refresh_token, insecure));
  if (secret) assert.equal((await introspect()).active, false);
  await assert.rejects(api(newer.access_token), e => {
    assert.ok(e instanceof oauth.WWWAuthenticateChallengeError, e);
    assert.equal(e.cause[0].parameters.error, 'invalid_token');
    return true;
  });
  await assert.rejects(refresh(newer.refresh_token), { error: 'invalid_grant', status: 400 });
}

async function codeFlow(client, auth) {
  // RFC 8252 section 7.3: the port is any free one.
  for (const uri of [redirectURI, redirectURI.replace('4711', '50815')]) {
    const { callback, verifier, state } = await authorize(client, uri);
    assert.throws(() => oauth.validateAuthResponse(as, client, callback, 'another'), /state/);
    const parameters = oauth.validateAuthResponse(as, client, callback, state);
    const exchange = async () => oauth.processAuthorizationCodeResponse(as, client,
      await oauth.authorizationCodeGrantRequest(as, client, auth, parameters, uri, verifier, insecure));
    await use(client, auth, await exchange());
    await assert.rejects(exchange(), { error: 'invalid_grant', status: 400 }, 'a code is good once');
  }
}

const registered = await register({ token_endpoint_auth_method: 'none', grant_types: ['authorization_code', 'refresh_token'] });
assert.equal(registered.client_secret, undefined);
await codeFlow(registered, none);

const confidential = await register({ grant_types: ['authorization_code', 'refresh_token'] });
assert.equal(confidential.token_endpoint_auth_method, 'client_secret_basic');
await codeFlow(confidential, oauth.ClientSecretBasic(confidential.client_secret));

// A device has no redirect URI. It polls until the user has decided.
const device = await register({
  redirect_uris: undefined, token_endpoint_auth_method: 'none',
  grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
});
const codes = await oauth.processDeviceAuthorizationResponse(as, device,
  await oauth.deviceAuthorizationRequest(as, device, none, { scope: 'profile notes:read' }, insecure));
const poll = async () => oauth.processDeviceCodeResponse(as, device,
  await oauth.deviceCodeGrantRequest(as, device, none, codes.device_code, insecure));
await assert.rejects(poll(), { error: 'authorization_pending', status: 400 });
await approve(codes.verification_uri_complete);
await new Promise(resolve => setTimeout(resolve, codes.interval * 1000));
await use(device, none, await poll());

// Registrations that the server must refuse.
await assert.rejects(register({ redirect_uris: ['http://wiki.example.com/callback'], token_endpoint_auth_method: 'none' }),
  { error: 'invalid_redirect_uri', status: 400 });
await assert.rejects(register({ redirect_uris: ['javascript:alert(1)'] }), { error: 'invalid_redirect_uri', status: 400 });
console.log('all is well');
