package providertest

import (
	"io"
	"net/http"
	"slices"
	"strings"
)

// Agent describes how an agent, such as an MCP client, signs its user in to a
// host that it has never met. [Agents] returns popular ones.
type Agent struct {
	Name string

	// Source says where the agent's behavior is documented, and of which date.
	Source string

	// ClientID is the URL of the agent's document. The agent uses it as its
	// client_id if the host's metadata allows documents. It is empty if the
	// agent has none.
	ClientID string

	// Document is the text of the document at ClientID.
	Document string

	// Registration is the registration request of the agent if it can't use its
	// document (RFC 7591). It is empty if the agent doesn't register.
	Registration string

	// RedirectURI is the redirect URI of its authorization requests. Its port
	// may differ from the one in its document, because the agent listens on a
	// free port.
	RedirectURI string

	// AllScopes says that the agent asks for all scopes in the metadata of the
	// host, instead of those in the metadata of the resource.
	AllScopes bool

	// OfflineAccess says that it also asks for offline_access, even if the host
	// doesn't offer it.
	OfflineAccess bool

	// Prompt is the prompt parameter of its authorization requests.
	Prompt string

	// NoResource says that it doesn't name the resource that its tokens are for
	// (RFC 8707).
	NoResource bool
}

// Agents returns the agents that [TryAgents] tries, in their state of September
// 2026. Agents change their behavior at any time: see Source if one behaves
// differently.
func Agents() []Agent { return slices.Clone(agents) }

var agents = []Agent{
	{
		// Its document prefers a key, but also allows none.
		Name:     "ChatGPT",
		Source:   "https://chatgpt.com/oauth/client.json on 2026-09-21, and https://developers.openai.com/plugins/build/auth",
		ClientID: "https://chatgpt.com/oauth/client.json",
		Document: `{"client_id":"https://chatgpt.com/oauth/client.json","client_uri":"https://chatgpt.com/",` +
			`"redirect_uris":["https://chatgpt.com/connector_platform_oauth_redirect"],` +
			`"token_endpoint_auth_method":"private_key_jwt","token_endpoint_auth_methods_supported":["none","private_key_jwt"],` +
			`"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"client_name":"ChatGPT",` +
			`"logo_uri":"https://persistent.oaistatic.com/sonic/misc/openai-logo.png","token_endpoint_auth_signing_alg":"RS256",` +
			`"jwks_uri":"https://chatgpt.com/oauth/jwks.json"}`,
		Registration: `{"client_name":"ChatGPT","redirect_uris":["https://chatgpt.com/connector_platform_oauth_redirect"],` +
			`"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none"}`,
		RedirectURI: "https://chatgpt.com/connector_platform_oauth_redirect",
	},
	{
		// Its registration has a scope that only it knows.
		Name: "Claude",
		Source: "https://claude.ai/oauth/mcp-oauth-client-metadata on 2026-09-21, " +
			"https://github.com/anthropics/claude-ai-mcp/issues/96 (2026-03-13) for its authorization requests, and " +
			"https://github.com/modelcontextprotocol/modelcontextprotocol/issues/653 (2025-06-09) for its registration",
		ClientID: "https://claude.ai/oauth/mcp-oauth-client-metadata",
		Document: `{"client_id":"https://claude.ai/oauth/mcp-oauth-client-metadata","client_name":"Claude","client_uri":"https://claude.ai",` +
			`"redirect_uris":["https://claude.ai/api/mcp/auth_callback"],` +
			`"grant_types":["authorization_code","refresh_token","urn:ietf:params:oauth:grant-type:jwt-bearer"],` +
			`"response_types":["code"],"token_endpoint_auth_method":"none"}`,
		Registration: `{"client_name":"claudeai","redirect_uris":["https://claude.ai/api/mcp/auth_callback"],` +
			`"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none","scope":"claudeai"}`,
		RedirectURI:   "https://claude.ai/api/mcp/auth_callback",
		OfflineAccess: true,
		Prompt:        "consent",
	},
	{
		// It returns to a port that its document doesn't name, on localhost,
		// and some versions don't send the resource.
		Name: "Claude Code",
		Source: "https://claude.ai/oauth/claude-code-client-metadata on 2026-09-21, " +
			"https://github.com/anthropics/claude-code/issues/37747 (2026-03-23), 10572 (2025-10-29) and 90497 (2026-08-29) for its " +
			"authorization requests, and https://github.com/elmohq/elmo/pull/684 (2026-09-01) for its registration",
		ClientID: "https://claude.ai/oauth/claude-code-client-metadata",
		Document: `{"client_id":"https://claude.ai/oauth/claude-code-client-metadata","client_name":"Claude Code","client_uri":"https://claude.ai",` +
			`"redirect_uris":["http://localhost/callback","http://127.0.0.1/callback"],` +
			`"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none"}`,
		Registration: `{"client_name":"Claude Code","application_type":"native","redirect_uris":["http://localhost:3118/callback"],` +
			`"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none"}`,
		RedirectURI:   "http://localhost:58135/callback",
		AllScopes:     true,
		OfflineAccess: true,
		Prompt:        "consent",
		NoResource:    true,
	},
	{
		// It has a custom scheme, although it registers as a web application.
		Name:   "Cursor",
		Source: "https://github.com/better-auth/better-auth/issues/10946 (2026-08-23), and https://cursor.com/docs/mcp for its scopes",
		Registration: `{"client_name":"Cursor","application_type":"web","redirect_uris":["cursor://anysphere.cursor-mcp/oauth/callback"],` +
			`"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none"}`,
		RedirectURI: "cursor://anysphere.cursor-mcp/oauth/callback",
		AllScopes:   true,
	},
	{
		// One request registers redirect URIs for the desktop and the web.
		Name:   "Cursor Agents",
		Source: "https://github.com/erp-mafia/accounted/pull/2225 (2026-09-03), and https://cursor.com/docs/mcp for its scopes",
		Registration: `{"client_name":"Cursor","redirect_uris":["cursor://anysphere.cursor-mcp/oauth/callback",` +
			`"https://www.cursor.com/agents/mcp/oauth/callback","http://localhost:8787/callback"],` +
			`"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none"}`,
		RedirectURI: "https://www.cursor.com/agents/mcp/oauth/callback",
		AllScopes:   true,
	},
	{
		// It uses another port if another window has the one in its document.
		Name: "VS Code",
		Source: "https://vscode.dev/oauth/client-metadata.json on 2026-09-21, fetchDynamicRegistration in " +
			"https://github.com/microsoft/vscode/blob/main/src/vs/base/common/oauth.ts, and " +
			"https://github.com/microsoft/vscode/issues/278512 (2025-11-20) for its port",
		ClientID: "https://vscode.dev/oauth/client-metadata.json",
		Document: `{"client_name":"Visual Studio Code","logo_uri":"https://code.visualstudio.com/assets/branding/code-stable.png",` +
			`"grant_types":["authorization_code","refresh_token","urn:ietf:params:oauth:grant-type:device_code"],"response_types":["code"],` +
			`"token_endpoint_auth_method":"none","application_type":"native","client_id":"https://vscode.dev/oauth/client-metadata.json",` +
			`"client_uri":"https://vscode.dev/product","redirect_uris":["http://127.0.0.1:33418/","https://vscode.dev/redirect"]}`,
		Registration: `{"client_name":"Visual Studio Code","client_uri":"https://code.visualstudio.com",` +
			`"grant_types":["authorization_code","refresh_token","urn:ietf:params:oauth:grant-type:device_code"],"response_types":["code"],` +
			`"redirect_uris":["https://insiders.vscode.dev/redirect","https://vscode.dev/redirect","http://127.0.0.1/","http://127.0.0.1:33418/"],` +
			`"token_endpoint_auth_method":"none","application_type":"native"}`,
		RedirectURI: "http://127.0.0.1:59656/",
	},
	{
		// Its document names a port, but it uses any.
		Name: "Copilot CLI",
		Source: "https://github.com/github/copilot-cli/issues/4793 (2026-09-09) with its document, " +
			"https://github.com/dozigden/boardoil/issues/11 (2026-08-17) with its registration",
		ClientID: "https://github.com/copilot/cli/client-metadata.json",
		Document: `{"client_id":"https://github.com/copilot/cli/client-metadata.json","application_type":"native",` +
			`"redirect_uris":["http://127.0.0.1:33418/"]}`,
		Registration: `{"redirect_uris":["http://127.0.0.1:56679/"],"grant_types":["authorization_code","refresh_token"],` +
			`"response_types":["code"],"token_endpoint_auth_method":"none"}`,
		RedirectURI: "http://127.0.0.1:60005/",
	},
	{
		// It asks for all scopes of the host, not only those of the resource.
		Name: "Codex",
		Source: "https://chatgpt.com/oauth/codex/client.json in September 2026, " +
			"https://github.com/elmohq/elmo/pull/684 (2026-09-01) and https://github.com/openai/codex/issues/30460 (2026-08-14) for its " +
			"registration, and 35253 (2026-09-18) for its scopes",
		ClientID: "https://chatgpt.com/oauth/codex/client.json",
		Document: `{"client_id":"https://chatgpt.com/oauth/codex/client.json","client_name":"Codex",` +
			`"redirect_uris":["http://127.0.0.1/callback","http://localhost/callback"],` +
			`"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none"}`,
		Registration: `{"client_name":"Codex","application_type":"native","redirect_uris":["http://127.0.0.1:63546/callback"],` +
			`"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none"}`,
		RedirectURI: "http://127.0.0.1:63546/callback",
		AllScopes:   true,
	},
	{
		// Its registration has an empty scope.
		Name:   "MCP Inspector",
		Source: "https://github.com/modelcontextprotocol/inspector/blob/main/core/auth/providers.ts on 2026-09-21",
		Registration: `{"redirect_uris":["http://localhost:6274/oauth/callback"],"token_endpoint_auth_method":"none",` +
			`"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"client_name":"MCP Inspector",` +
			`"client_uri":"https://github.com/modelcontextprotocol/inspector","scope":"","application_type":"native"}`,
		RedirectURI: "http://localhost:6274/oauth/callback",
	},
}

// AgentDocuments returns a Config.Transport for tests. It answers requests for
// the documents of [Agents] without a network, and finds nothing else.
func AgentDocuments() http.RoundTripper {
	documents := agentDocuments{}
	for _, a := range agents {
		documents[a.ClientID] = a.Document
	}
	return documents
}

// agentDocuments are documents by URL.
type agentDocuments map[string]string

func (d agentDocuments) RoundTrip(r *http.Request) (*http.Response, error) {
	document, status := d[r.URL.String()], http.StatusOK
	if document == "" {
		status = http.StatusNotFound
	}
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(document)),
		ContentLength: int64(len(document)),
	}, nil
}
