// Clerk's SDK for JavaScript, configured only with the API's URL and the key,
// against a server that the test in ../js_test.go has started.
import assert from 'node:assert/strict';
import { createClerkClient } from '@clerk/backend';
import { isClerkAPIResponseError } from '@clerk/backend/errors';

const env = process.env;
const clientWith = secretKey => createClerkClient({ apiUrl: env.LATCHKEY_URL, secretKey, telemetry: { disabled: true } });
const clerk = clientWith(env.LATCHKEY_KEY);
const apps = clerk.oauthApplications;
const callback = 'https://wiki.example.com/callback';

// plain turns an instance of a class into a plain object that can be compared,
// without unset fields.
const plain = object => JSON.parse(JSON.stringify(object));

// refused expects the SDK's own error with exactly these problems: each is its
// code, followed by a space and the parameter, if any.
async function refused(call, status, ...want) {
  const error = await call.then(() => assert.fail('it was not refused'), error => error);
  assert.ok(isClerkAPIResponseError(error), error);
  assert.equal(error.status, status);
  assert.match(error.clerkTraceId, /^[0-9a-f]{32}$/);
  const got = error.errors.map(({ code, message, longMessage, meta }) => {
    assert.ok(message && longMessage);
    return `${code} ${meta?.paramName ?? ''}`.trim();
  });
  assert.deepEqual(got, want);
}

// Create, read, change, rotate.
const app = await apps.create({ name: 'Knowledge', redirectUris: [callback, 'http://localhost:3000/'], scopes: 'profile' });
assert.match(app.constructor.name, /^_?OAuthApplication$/);
assert.match(app.clientSecret, /^[0-9A-Za-z]{43}$/);
assert.ok(Math.abs(app.createdAt - Date.now()) < 60_000, 'milliseconds');
const want = {
  id: app.id,
  instanceId: 'ins_test',
  name: 'Knowledge',
  clientId: app.clientId,
  clientUri: null,
  clientImageUrl: null,
  dynamicallyRegistered: false,
  consentScreenEnabled: true,
  pkceRequired: false,
  isPublic: false,
  scopes: 'profile',
  redirectUris: [callback, 'http://localhost:3000/'],
  authorizeUrl: `${env.LATCHKEY_URL}/oauth/authorize`,
  tokenFetchUrl: `${env.LATCHKEY_URL}/oauth/token`,
  userInfoUrl: `${env.LATCHKEY_URL}/oauth/userinfo`,
  discoveryUrl: `${env.LATCHKEY_URL}/.well-known/oauth-authorization-server`,
  tokenIntrospectionUrl: `${env.LATCHKEY_URL}/oauth/token_info`,
  createdAt: app.createdAt,
  updatedAt: app.createdAt,
};
assert.deepEqual(plain(app), { ...want, clientSecret: app.clientSecret });
assert.deepEqual(plain(await apps.get(app.id)), want);

const updated = await apps.update({ oauthApplicationId: app.id, name: 'Base', redirectUris: [callback], pkceRequired: true, scopes: null });
assert.ok(updated.updatedAt >= app.updatedAt);
Object.assign(want, { name: 'Base', redirectUris: [callback], pkceRequired: true, updatedAt: updated.updatedAt });
assert.deepEqual(plain(updated), want);

const rotated = await apps.rotateSecret(app.id);
assert.match(rotated.clientSecret, /^[0-9A-Za-z]{43}$/);
assert.notEqual(rotated.clientSecret, app.clientSecret);
assert.deepEqual(plain(rotated), { ...want, updatedAt: rotated.updatedAt, clientSecret: rotated.clientSecret });

// Public, and back.
const cli = await apps.create({ name: 'Command line', public: true, redirectUris: ['http://127.0.0.1/callback'] });
assert.deepEqual([cli.isPublic, cli.pkceRequired, cli.clientSecret], [true, true, '']);
await refused(apps.rotateSecret(cli.id), 422, 'form_public_client_requires_pkce public');
const server = await apps.update({ oauthApplicationId: cli.id, public: false });
assert.equal(server.isPublic, false);
assert.match(server.clientSecret, /^[0-9A-Za-z]{43}$/);

// List: pages, orders, filters.
for (let i = 0; i < 12; i++) {
  await apps.create({ name: `App ${String.fromCharCode(76 - i)}` }); // L to A
  await new Promise(done => setTimeout(done, 2)); // The order is by time.
}
const names = async params => {
  const { data, totalCount } = await apps.list({ nameQuery: 'app ', ...params });
  for (const entry of data) {
    assert.match(entry.constructor.name, /^_?OAuthApplication$/);
    assert.equal(entry.clientSecret, undefined);
  }
  return `${data.map(entry => entry.name.slice(4)).join('')} of ${totalCount}`;
};
assert.equal(await names({}), 'ABCDEFGHIJ of 12');
assert.equal(await names({ offset: 10 }), 'KL of 12');
assert.equal(await names({ limit: 5, offset: 5 }), 'FGHIJ of 12');
assert.equal(await names({ limit: 3, orderBy: '+created_at' }), 'LKJ of 12');
assert.equal(await names({ limit: 3, orderBy: '-created_at' }), 'ABC of 12');
assert.equal(await names({ limit: 3, orderBy: '+name' }), 'ABC of 12');
assert.equal(await names({ limit: 3, orderBy: 'name' }), 'ABC of 12');
assert.equal(await names({ limit: 3, orderBy: '-name' }), 'LKJ of 12');
assert.equal(await names({ nameQuery: 'aPP l' }), 'L of 1');
assert.equal((await apps.list({ nameQuery: app.clientId })).data[0].id, app.id);
assert.equal((await apps.list()).totalCount, 15);

// Tokens. Times are in seconds here.
const token = await clerk.idPOAuthAccessToken.verify(env.ACCESS_TOKEN);
assert.match(token.constructor.name, /^_?IdPOAuthAccessToken$/);
assert.match(token.id, /^oat_[0-9a-f]{32}$/);
assert.ok(Math.abs(token.createdAt - Date.now() / 1000) < 60, 'seconds');
const wantToken = {
  id: token.id,
  clientId: env.CLIENT_ID,
  subject: 'user_ada',
  scopes: ['profile', 'email'],
  revoked: false,
  revocationReason: null,
  expired: false,
  expiration: token.createdAt + 7200,
  createdAt: token.createdAt,
  updatedAt: token.createdAt,
};
assert.deepEqual(plain(token), wantToken);
await refused(clerk.idPOAuthAccessToken.verify('oat_unknown'), 404, 'resource_not_found');
await refused(apps.revokeToken({ oauthApplicationId: app.id, token: env.ACCESS_TOKEN }), 404, 'resource_not_found');
await refused(apps.revokeToken({ oauthApplicationId: env.APPLICATION_ID, token: 'oat_unknown' }), 404, 'resource_not_found');
assert.equal((await clerk.idPOAuthAccessToken.verify(env.ACCESS_TOKEN)).revoked, false);
assert.equal(await apps.revokeToken({ oauthApplicationId: env.APPLICATION_ID, token: env.REFRESH_TOKEN }), undefined);
const revoked = plain(await clerk.idPOAuthAccessToken.verify(env.ACCESS_TOKEN));
assert.ok(revoked.revocationReason);
assert.deepEqual(revoked, { ...wantToken, revoked: true, revocationReason: revoked.revocationReason });

// Errors.
await refused(clientWith('sk_test_wrong').oauthApplications.get(app.id), 401, 'clerk_key_invalid');
await refused(clientWith('sk_test_wrong').idPOAuthAccessToken.verify(env.ACCESS_TOKEN), 401, 'clerk_key_invalid');
await refused(apps.create({ redirectUris: ['http://wiki.example.com/'], scopes: 'profile nothing' }), 422,
  'form_param_missing name', 'form_param_format_invalid redirect_uris', 'form_param_value_invalid scopes');
await refused(apps.update({ oauthApplicationId: app.id, unheardOf: 1 }), 422, 'form_param_unknown unheard_of');
await refused(apps.update({ oauthApplicationId: app.id, name: 5 }), 422, 'form_param_value_invalid name');
await refused(apps.list({ limit: 501, orderBy: 'id' }), 422, 'form_param_value_invalid limit', 'form_param_value_invalid order_by');
assert.deepEqual(plain(await apps.get(app.id)), { ...want, updatedAt: rotated.updatedAt });

// Delete.
assert.deepEqual(plain(await apps.delete(app.id)), { object: 'oauth_application', id: app.id, slug: null, deleted: true });
await refused(apps.get(app.id), 404, 'resource_not_found');
await refused(apps.delete(app.id), 404, 'resource_not_found');
assert.equal((await apps.list()).totalCount, 14);

console.log('all is well');
