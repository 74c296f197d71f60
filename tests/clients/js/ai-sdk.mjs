// The MCP client of Vercel's AI SDK, given only the URL of an MCP server.
// Access tokens live for two seconds there.
import assert from 'node:assert/strict';
import { auth, createMCPClient, UnauthorizedError } from '@ai-sdk/mcp';
import { Agent } from './agent.mjs';

const server = process.env.MCP_URL;

// AIAgent also keeps what only this SDK needs.
class AIAgent extends Agent {
  authorizationServerInformation() { return this.authorizationServer; }
  saveAuthorizationServerInformation(information) { this.authorizationServer = information; }
  saveState(state) { this.expected = state; }
  storedState() { return this.expected; }
}

const connect = authProvider => createMCPClient({ transport: { type: 'http', url: server, authProvider } });
const finish = (agent, answer) => auth(agent, {
  serverUrl: server, authorizationCode: answer.get('code'), callbackState: answer.get('state'), callbackIssuer: answer.get('iss'),
});

const call = async (client, name, args = {}) => {
  const tools = await client.tools();
  return tools[name].execute(args, { toolCallId: '1', messages: [] });
};
const titles = async client => (await call(client, 'list_notes')).structuredContent.notes.map(note => note.title);

for (const method of ['none', 'client_secret_post']) {
  const agent = new AIAgent(method);
  await assert.rejects(connect(agent), UnauthorizedError);
  assert.equal(agent.url.searchParams.get('scope'), 'notes:read');
  assert.equal(agent.url.searchParams.get('resource'), server);
  const answer = await agent.signIn();
  const foreign = new URLSearchParams(answer);
  foreign.set('state', 'another');
  await assert.rejects(finish(agent, foreign), /state/);
  foreign.set('state', answer.get('state'));
  foreign.set('iss', 'https://elsewhere.example.com');
  await assert.rejects(finish(agent, foreign), /issuer/i);
  assert.equal(await finish(agent, answer), 'AUTHORIZED');
  await assert.rejects(finish(agent, answer), /The code is not valid/);
  assert.equal(agent.information.client_secret === undefined, method === 'none');
}

const agent = new AIAgent('none');
await assert.rejects(connect(agent), UnauthorizedError);
await finish(agent, await agent.signIn());
const client = await connect(agent);
assert.deepEqual((await call(client, 'whoami')).structuredContent, { id: 'user_1815', scopes: ['notes:read'] });
const before = await titles(client);
assert.deepEqual(before.slice(0, 2), ['Bernoulli numbers', 'Flying machine']);

const issued = agent.saved.length;
await new Promise(resolve => setTimeout(resolve, 2100));
assert.deepEqual(await titles(client), before);
assert.ok(agent.saved.length > issued, 'it has refreshed');
await assert.rejects(call(client, 'add_note', { title: 'From the AI SDK', text: 'x' }), /403/);
assert.deepEqual(await titles(client), before, 'nothing was written');
await client.close();
console.log('all is well');
