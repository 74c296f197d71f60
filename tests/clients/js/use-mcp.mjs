// A page of an app that uses an MCP server in the browser with use-mcp. The
// page shows its state, and window.mcp has the hook, so that the test can call
// tools.
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';
import { onMcpAuthorization } from 'use-mcp';
import { useMcp } from 'use-mcp/react';

function App({ url }) {
  window.mcp = useMcp({ url, clientName: 'Unknown page', autoReconnect: false });
  return createElement('p', { id: 'state' }, window.mcp.state);
}

if (location.pathname === '/oauth/callback') {
  onMcpAuthorization();
} else {
  createRoot(document.getElementById('app')).render(createElement(App, { url: document.body.dataset.server }));
}
