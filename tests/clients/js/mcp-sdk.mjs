// The client of @modelcontextprotocol/sdk, given only the URL of an MCP server.
// Access tokens live for two seconds there.
import assert from 'node:assert/strict';
import { auth, UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Agent } from './agent.mjs';

const server = new URL(process.env.MCP_URL);

const newClient = () => new Client({ name: 'test', version: '1' });
const call = async (client, name, args = {}) => (await client.callTool({ name, arguments: args })).structuredContent;
const titles = async client => (await call(client, 'list_notes')).notes.map(note => note.title);

// connect signs in with a new, unregistered client.
async function connect(agent) {
  const first = new StreamableHTTPClientTransport(server, { authProvider: agent });
  await assert.rejects(newClient().connect(first), UnauthorizedError);
  assert.equal(agent.url.searchParams.get('scope'), 'notes:read', 'what the challenge says');
  assert.equal(agent.url.searchParams.get('resource'), server.href);
  await first.finishAuth((await agent.signIn()).get('code'));

  const client = newClient();
  await client.connect(new StreamableHTTPClientTransport(server, { authProvider: agent }));
  return client;
}

for (const method of ['none', 'client_secret_basic', 'client_secret_post']) {
  const agent = new Agent(method);
  const client = await connect(agent);
  assert.equal(agent.information.token_endpoint_auth_method, method);
  assert.equal(agent.information.client_secret === undefined, method === 'none');
  assert.deepEqual((await client.listTools()).tools.map(tool => tool.name).sort(), ['add_note', 'list_notes', 'whoami']);
  assert.deepEqual(await call(client, 'whoami'), { id: 'user_1815', scopes: ['notes:read'] });
  const before = await titles(client);
  assert.deepEqual(before.slice(0, 2), ['Bernoulli numbers', 'Flying machine']);

  // The token expires, and the client refreshes by itself.
  const issued = agent.saved.length;
  await new Promise(resolve => setTimeout(resolve, 2100));
  assert.deepEqual(await titles(client), before);
  assert.equal(agent.saved.length, issued + 1);
  assert.notEqual(agent.saved.at(-1).refresh_token, agent.saved.at(-2).refresh_token);

  // Writing needs one more scope. The SDK answers the challenge with a refresh,
  // which can't have more than was granted, and reports that.
  const note = { title: `With ${method}`, text: 'x' };
  await assert.rejects(call(client, 'add_note', note), { code: 403 });
  assert.deepEqual(await titles(client), before, 'nothing was written');
  // So an agent must ask its user again.
  agent.saveTokens(undefined);
  assert.equal(await auth(agent, { serverUrl: server, scope: 'notes:read notes:write' }), 'REDIRECT');
  assert.equal(await auth(agent, { serverUrl: server, authorizationCode: (await agent.signIn()).get('code') }), 'AUTHORIZED');
  await call(client, 'add_note', note);
  assert.deepEqual(await titles(client), [...before, note.title]);

  // A sign-in that has ended can't be refreshed: the client drops its tokens,
  // and sends its user to the browser.
  const good = agent.tokens();
  agent.saveTokens({ ...good, access_token: 'x', refresh_token: 'x' });
  agent.url = undefined;
  await assert.rejects(titles(client), UnauthorizedError);
  assert.equal(agent.tokens(), undefined);
  assert.equal(agent.url.origin, server.origin);
  agent.saveTokens(good);
  assert.deepEqual(await titles(client), [...before, note.title], 'the other ones are as good as before');
  await client.close();
}

// A code that belongs to another client's verifier is refused.
const agent = new Agent('none');
await assert.rejects(newClient().connect(new StreamableHTTPClientTransport(server, { authProvider: agent })));
const code = (await agent.signIn()).get('code');
agent.saveCodeVerifier('v'.repeat(43));
await assert.rejects(auth(agent, { serverUrl: server, authorizationCode: code }), { errorCode: 'invalid_grant' });
console.log('all is well');
