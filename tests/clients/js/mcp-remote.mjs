// mcp-remote, for programs that can't sign in themselves. They talk to it with
// standard input and output, and it discovers the rest from the URL of the MCP
// server. Access tokens live for two seconds there.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { allow } from './person.mjs';

const server = process.env.MCP_URL;

let log = '';
process.on('uncaughtExceptionMonitor', () => console.error(log));

// remote starts mcp-remote with its state folder. visits are the URLs that it
// has shown to its user.
async function remote(folder, visit, ...flags) {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: ['node_modules/mcp-remote/dist/proxy.js', server, ...flags],
    env: { ...process.env, MCP_REMOTE_CONFIG_DIR: folder, BROWSER: 'true' },
    stderr: 'pipe',
  });
  const visits = [];
  let said = '', visiting = Promise.resolve();
  transport.stderr.on('data', data => {
    log += data;
    said += data;
    const shown = [...said.matchAll(/visit(?:ing)?:\s+(http\S+)\s/g)].map(match => match[1]);
    for (const address of shown.slice(visits.length)) {
      visits.push(new URL(address));
      visiting = visiting.then(() => visit(address));
    }
  });
  const client = new Client({ name: 'test', version: '1' });
  await client.connect(transport);
  return {
    visits,
    call: async (name, args = {}) => (await client.callTool({ name, arguments: args })).structuredContent,
    close: async () => {
      await client.close();
      await visiting;
    },
  };
}

// browse agrees, and opens mcp-remote's callback URL. People take longer than
// mcp-remote takes to listen there.
async function browse(address) {
  const callback = await allow(address);
  assert.equal(callback.hostname, 'localhost');
  for (let tries = 0; ; tries++) {
    try {
      const page = await fetch(callback);
      assert.equal(page.status, 200, await page.text());
      return;
    } catch (error) {
      if (error.cause?.code !== 'ECONNREFUSED' || tries > 100) throw error;
      await new Promise(resolve => setTimeout(resolve, 100));
    }
  }
}

const titles = async agent => (await agent.call('list_notes')).notes.map(note => note.title);

const note = { title: 'By mcp-remote', text: 'x' };

const home = join(process.env.FOLDER, 'home');
let agent = await remote(home, browse);
assert.equal(agent.visits.length, 1);
assert.equal(agent.visits[0].searchParams.get('resource'), server);
assert.deepEqual(await agent.call('whoami'), { id: 'user_1815', scopes: ['notes:read'] });
const before = await titles(agent);
assert.deepEqual(before.slice(0, 2), ['Bernoulli numbers', 'Flying machine']);
await new Promise(resolve => setTimeout(resolve, 2100));
assert.deepEqual(await titles(agent), before);
assert.equal(agent.visits.length, 1, 'it has refreshed');
await agent.close();

// Later it knows its user.
agent = await remote(home, browse);
assert.deepEqual(await titles(agent), before);
assert.equal(agent.visits.length, 0);
await agent.close();

// Writing needs one more scope. mcp-remote asks its user for it only if the
// server offers others too. Here it doesn't, so mcp-remote must be told.
agent = await remote(join(process.env.FOLDER, 'elsewhere'), browse, '--static-oauth-client-metadata', '{"scope":"notes:read notes:write"}');
assert.equal(agent.visits[0].searchParams.get('scope'), 'notes:read notes:write');
await agent.call('add_note', note);
assert.deepEqual(await titles(agent), [...before, note.title]);
await agent.close();
console.log('all is well');
