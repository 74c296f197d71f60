// client_credentials (RFC 6749 section 4.4): openid-client with a secret, and
// oauth4webapi with a key.
import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import * as oauth from 'oauth4webapi';
import * as client from 'openid-client';

const { LATCHKEY_URL, CLIENT_ID, CLIENT_SECRET, KEY_ID, CLIENT_KEY } = process.env;
const issuer = new URL(LATCHKEY_URL);

const config = await client.discovery(issuer, CLIENT_ID, CLIENT_SECRET, undefined, { algorithm: 'oauth2', execute: [client.allowInsecureRequests] });
assert.ok(config.serverMetadata().grant_types_supported.includes('client_credentials'));
const tokens = await client.clientCredentialsGrant(config);
assert.equal(tokens.scope, 'notes:read');
assert.equal(tokens.expires_in, 7200);
assert.equal(tokens.refresh_token, undefined);
const reports = await client.fetchProtectedResource(config, tokens.access_token, new URL('/api/reports', issuer), 'GET');
assert.deepEqual(await reports.json(), { machine: true });
const introspected = await client.tokenIntrospection(config, tokens.access_token);
assert.equal(introspected.sub, `client:${CLIENT_ID}`);

// A resource for users says so, and a new token won't help.
for (const path of ['/api/notes', '/oauth/userinfo']) {
  await assert.rejects(client.fetchProtectedResource(config, tokens.access_token, new URL(path, issuer), 'GET'), e => {
    assert.equal(e.cause[0].parameters.error, 'insufficient_scope', e);
    assert.match(e.cause[0].parameters.error_description, /for people/);
    return true;
  });
}
await assert.rejects(client.clientCredentialsGrant(config, { scope: 'email' }), { error: 'invalid_scope', status: 400 });
await client.tokenRevocation(config, tokens.access_token);
assert.equal((await client.tokenIntrospection(config, tokens.access_token)).active, false);

const insecure = { [oauth.allowInsecureRequests]: true };
const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }));
const jwk = createPrivateKey(CLIENT_KEY).export({ format: 'jwk' });
const key = await crypto.subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);
const keyed = { client_id: KEY_ID };
const got = await oauth.processClientCredentialsResponse(as, keyed,
  await oauth.clientCredentialsGrantRequest(as, keyed, oauth.PrivateKeyJwt({ key, kid: 'wiki-1' }), new URLSearchParams({ scope: 'notes:read' }), insecure));
assert.equal(got.scope, 'notes:read');
const response = await oauth.protectedResourceRequest(got.access_token, 'GET', new URL('/api/reports', issuer), undefined, undefined, insecure);
assert.deepEqual(await response.json(), { machine: true });
console.log('all is well');
