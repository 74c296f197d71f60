// The OAuth client of n8n, used as n8n does for a credential with the grant
// type "PKCE": the URLs are typed in, and its token is kept as data between
// workflows.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { ClientOAuth2 } from '@n8n/client-oauth2';
import { allow, deny } from '../person.mjs';

const { LATCHKEY_URL, CLIENT_ID, CLIENT_SECRET, PUBLIC_ID } = process.env;
const redirectUri = 'https://n8n.example.com/rest/oauth2-credential/callback';
const metadata = await (await fetch(`${LATCHKEY_URL}/.well-known/oauth-authorization-server`)).json();

const options = more => ({
  accessTokenUri: metadata.token_endpoint, authorizationUri: metadata.authorization_endpoint, redirectUri,
  scopes: ['profile', 'notes:read'], ...more,
});

// request makes an authorization request of this client.
function request(more) {
  const verifier = randomBytes(48).toString('base64url');
  const state = Buffer.from(JSON.stringify({ token: randomBytes(8).toString('hex'), cid: '1' })).toString('base64');
  const client = new ClientOAuth2(options({
    ...more, state, body: { code_verifier: verifier },
    query: { code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256' },
  }));
  return { client, url: client.code.getUri() };
}

// refused expects the error with this code.
const refused = (call, error) => assert.rejects(call, e => {
  assert.equal(e.code, 'EAUTH', e);
  assert.equal(e.body.error, error);
  return true;
});

const notes = token => fetch(`${LATCHKEY_URL}/api/notes`, token.sign({ method: 'GET', url: `${LATCHKEY_URL}/api/notes` }));

for (const more of [
  { clientId: CLIENT_ID, clientSecret: CLIENT_SECRET, authentication: 'header' },
  { clientId: CLIENT_ID, clientSecret: CLIENT_SECRET, authentication: 'body' },
  { clientId: PUBLIC_ID },
]) {
  let { client, url } = request(more);
  const callback = (await allow(url)).href;
  await assert.rejects(client.code.getToken(callback, { state: 'another' }), /Invalid state/);
  const token = await client.code.getToken(callback);
  assert.equal(token.tokenType, 'bearer');
  assert.equal(token.data.scope, 'profile notes:read');
  assert.equal(token.expired(), false);
  assert.deepEqual(await (await notes(token)).json(), { notes: ['A note of user_ada'] });

  // A later workflow knows only what was stored.
  const later = data => new ClientOAuth2(options(more)).createToken(JSON.parse(JSON.stringify({ ...token.data, ...data })));
  const newer = await later().refresh();
  assert.notEqual(newer.accessToken, token.accessToken);
  assert.notEqual(newer.refreshToken, token.refreshToken);
  assert.equal((await notes(newer)).status, 200);
  assert.equal((await notes(await newer.refresh())).status, 200);
  await refused(later({ refresh_token: 'x' }).refresh(), 'invalid_grant');

  // A code works once, and a second use revokes its tokens.
  await refused(client.code.getToken(callback), 'invalid_grant');
  assert.equal((await notes(newer)).status, 401);

  ({ client, url } = request({ ...more, scopes: ['profile', 'email'] }));
  await refused(client.code.getToken((await deny(url)).href), 'access_denied');
}
await refused(new ClientOAuth2(options({ clientId: CLIENT_ID, clientSecret: 'wrong' })).createToken({ refresh_token: 'x' }).refresh(), 'invalid_client');
console.log('all is well');
