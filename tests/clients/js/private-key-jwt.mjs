// private_key_jwt (RFC 7523): openid-client with a key whose public half is
// registered beforehand, and oauth4webapi, which registers its own.
import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import * as oauth from 'oauth4webapi';
import * as client from 'openid-client';
import { allow } from './person.mjs';

const { LATCHKEY_URL, CLIENT_ID, CLIENT_KEY } = process.env;
const issuer = new URL(LATCHKEY_URL);
const redirect_uri = 'https://wiki.example.com/callback';

const jwk = createPrivateKey(CLIENT_KEY).export({ format: 'jwk' });
const key = await crypto.subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);

// openid-client discovers the endpoints, and signs for each request.
const config = await client.discovery(issuer, CLIENT_ID, undefined, client.PrivateKeyJwt({ key, kid: 'wiki-1' }),
  { algorithm: 'oauth2', execute: [client.allowInsecureRequests] });
const server = config.serverMetadata();
assert.ok(server.token_endpoint_auth_methods_supported.includes('private_key_jwt'));
assert.ok(server.token_endpoint_auth_signing_alg_values_supported.includes('ES256'));
const pkceCodeVerifier = client.randomPKCECodeVerifier();
const expectedState = client.randomState();
const callback = await allow(client.buildAuthorizationUrl(config, {
  redirect_uri, state: expectedState, scope: 'profile notes:read',
  code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier), code_challenge_method: 'S256',
}));
const tokens = await client.authorizationCodeGrant(config, callback, { pkceCodeVerifier, expectedState });
const newer = await client.refreshTokenGrant(config, tokens.refresh_token);
assert.equal((await client.tokenIntrospection(config, newer.access_token)).active, true);
await client.tokenRevocation(config, newer.refresh_token);
assert.equal((await client.tokenIntrospection(config, newer.access_token)).active, false);

// Another key with the same kid is refused.
const other = (await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']));
const impostor = await client.discovery(issuer, CLIENT_ID, undefined, client.PrivateKeyJwt({ key: other.privateKey, kid: 'wiki-1' }),
  { algorithm: 'oauth2', execute: [client.allowInsecureRequests] });
await assert.rejects(client.tokenIntrospection(impostor, newer.access_token), { error: 'invalid_client', status: 401 });

// oauth4webapi registers its keys, with several algorithms.
const insecure = { [oauth.allowInsecureRequests]: true };
const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }));
for (const alg of ['RS256', 'PS256', 'ES256', 'Ed25519']) {
  const pair = await oauth.generateKeyPair(alg, { extractable: true });
  const exported = { ...await crypto.subtle.exportKey('jwk', pair.publicKey), kid: alg, use: 'sig' };
  delete exported.alg, delete exported.key_ops, delete exported.ext;
  const registered = await oauth.processDynamicClientRegistrationResponse(await oauth.dynamicClientRegistrationRequest(as, {
    client_name: 'Unknown wiki', redirect_uris: [redirect_uri], grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [exported] },
  }, insecure));
  assert.equal(registered.token_endpoint_auth_method, 'private_key_jwt');
  assert.equal(registered.client_secret, undefined);
  const signed = oauth.PrivateKeyJwt({ key: pair.privateKey, kid: alg });
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const url = new URL(as.authorization_endpoint);
  url.search = new URLSearchParams({
    client_id: registered.client_id, redirect_uri, response_type: 'code', scope: 'profile', state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
  });
  const parameters = oauth.validateAuthResponse(as, registered, await allow(url), state);
  const exchange = auth => oauth.authorizationCodeGrantRequest(as, registered, auth, parameters, redirect_uri, verifier, insecure);
  await assert.rejects(exchange(oauth.None()).then(r => oauth.processAuthorizationCodeResponse(as, registered, r)),
    { error: 'invalid_client', status: 401 }, 'its client_id alone is not enough');
  const got = await oauth.processAuthorizationCodeResponse(as, registered, await exchange(signed));
  await oauth.processRefreshTokenResponse(as, registered, await oauth.refreshTokenGrantRequest(as, registered, signed, got.refresh_token, insecure));
}
console.log('all is well');
