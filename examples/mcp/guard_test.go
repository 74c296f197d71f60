package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
)

const (
	listNotes = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_notes","arguments":{}}}`
	addNote   = `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"add_note","arguments":{"title":"Sneaked in","text":"x"}}}`
)

// issue issues a token without a client.
func (w *world) issue(userID, resource string, scope ...string) string {
	w.t.Helper()
	app, _, err := w.Provider.CreateApplication(w.t.Context(), provider.ApplicationSettings{
		Name: "Test", RedirectURIs: []string{redirectURI}, Scopes: scopes.New("notes:read", "notes:write")})
	require.NoError(w.t, err)
	_, token, err := w.Provider.IssueToken(w.t.Context(), provider.TokenSettings{
		UserID: userID, ApplicationID: app.ID, Scopes: scopes.New(scope...), Resource: resource, Lifetime: time.Hour})
	require.NoError(w.t, err)
	return token.Reveal()
}

// A token works only where it is meant for: an agent's token doesn't open the
// app's own API, and the app's tokens don't open the MCP server.
func TestTokensAreForOnePlace(t *testing.T) {
	w := newWorld(t)
	a := w.agent("ada", w.registered())
	require.Equal(t, 200, w.send("POST", "/mcp", a.token, listNotes).StatusCode)
	elsewhere := w.send("GET", "/api/notes", a.token, "")
	require.Equal(t, 401, elsewhere.StatusCode)
	require.Contains(t, elsewhere.Header.Get("WWW-Authenticate"), `error="invalid_token"`)

	// The same user's token for the app, without a resource.
	config := oauth2.Config{
		ClientID: w.known(true).ClientID, RedirectURL: redirectURI, Scopes: []string{"notes:read"},
		Endpoint: oauth2.Endpoint{AuthURL: w.url + "/oauth/authorize", TokenURL: w.url + "/oauth/token", AuthStyle: oauth2.AuthStyleInParams},
	}
	verifier := oauth2.GenerateVerifier()
	answer := a.answer(config.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier)))
	token, err := config.Exchange(t.Context(), answer.Get("code"), oauth2.VerifierOption(verifier))
	require.NoError(t, err)
	require.Equal(t, 200, w.send("GET", "/api/notes", token.AccessToken, "").StatusCode)
	refused := w.send("POST", "/mcp", token.AccessToken, listNotes)
	require.Equal(t, 401, refused.StatusCode)
	require.Contains(t, refused.Header.Get("WWW-Authenticate"), `error="invalid_token"`)
	require.Contains(t, refused.Header.Get("WWW-Authenticate"), `resource_metadata="`+w.url+`/.well-known/oauth-protected-resource/mcp"`)
}

// The agents of two users call the server at the same time.
func TestUsersAreNotMixedUp(t *testing.T) {
	w := newWorld(t)
	register := w.registered()
	ada, grace := w.agent("ada", register), w.agent("grace", register)
	ada.addNote("Of ada")
	grace.addNote("Of grace")
	var running sync.WaitGroup
	for range 8 {
		for agent, want := range map[*agent][]string{
			ada:   append(notesOfAda[:2:2], "Of ada"),
			grace: append(notesOfGrace[:2:2], "Of grace"),
		} {
			running.Go(func() {
				for range 10 {
					result, err := agent.CallTool(t.Context(), &mcp.CallToolParams{Name: "list_notes"})
					if err != nil {
						t.Error(err)
						return
					}
					content, _ := json.Marshal(result.StructuredContent)
					var got struct{ Notes []acme.Note }
					json.Unmarshal(content, &got)
					var titles []string
					for _, n := range got.Notes {
						titles = append(titles, n.Title)
					}
					if strings.Join(titles, ",") != strings.Join(want, ",") {
						t.Errorf("%s sees %q", agent.login, titles)
					}
				}
			})
		}
	}
	running.Wait()
}

// The server keeps no sessions, so a session ID changes nothing. Only the token
// counts.
func TestSessionsOfOthersAreWorthNothing(t *testing.T) {
	w := newWorld(t)
	begun := w.send("POST", "/mcp", w.issue("user_1815", w.url+"/mcp", "notes:read"), initialize)
	require.Equal(t, 200, begun.StatusCode)
	require.Empty(t, begun.Header.Get("Mcp-Session-Id"))
	for _, session := range []string{"", "x"} {
		got := w.send("POST", "/mcp", w.issue("user_1906", w.url+"/mcp", "notes:read"), listNotes, "Mcp-Session-Id", session)
		require.Equal(t, 200, got.StatusCode)
		require.Contains(t, got.body, "Nanoseconds")
		require.NotContains(t, got.body, "Bernoulli")
	}
	for _, method := range []string{"GET", "DELETE"} {
		require.Equal(t, 405, w.send(method, "/mcp", w.issue("user_1906", w.url+"/mcp", "notes:read"), "").StatusCode)
	}
}

const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",` +
	`"capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`

// A server that keeps sessions is also safe if it knows the user of each request:
// only the user of a session can use it.
func TestSessionsBelongToTheirUsers(t *testing.T) {
	w := newWorld(t)
	server := newServer(w.Host)
	guard := w.Provider.Resource(w.url + "/mcp").Require("notes:read")
	sessions := httptest.NewServer(guard(withTokenInfo(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil))))
	t.Cleanup(sessions.Close)
	ada, grace := w.issue("user_1815", w.url+"/mcp", "notes:read"), w.issue("user_1906", w.url+"/mcp", "notes:read")
	other := &world{t: t, url: sessions.URL}
	begun := other.send("POST", "", ada, initialize)
	session := begun.Header.Get("Mcp-Session-Id")
	require.NotEmpty(t, session)
	require.Contains(t, other.send("POST", "", ada, listNotes, "Mcp-Session-Id", session).body, "Bernoulli")
	for _, method := range []string{"POST", "DELETE"} {
		require.Equal(t, 403, other.send(method, "", grace, listNotes, "Mcp-Session-Id", session).StatusCode)
	}
	require.Equal(t, 403, other.send("GET", "", grace, "", "Mcp-Session-Id", session, "Accept", "text/event-stream").StatusCode)
}

// The response depends on the content of the request. The permission depends on
// the token.
func TestWritingTakesItsScope(t *testing.T) {
	w := newWorld(t)
	reader := w.issue("user_1815", w.url+"/mcp", "notes:read")
	both := w.issue("user_1815", w.url+"/mcp", "notes:read", "notes:write")
	writer := w.issue("user_1815", w.url+"/mcp", "notes:write")
	for _, test := range []struct {
		name, token, body string
		status            int
		says              string // in WWW-Authenticate
	}{
		{"reading without a token", "", listNotes, 401, `scope="notes:read"`},
		{"writing without a token", "", addNote, 401, `scope="notes:read"`},
		{"a reader reads", reader, listNotes, 200, ""},
		{"a reader writes", reader, addNote, 403, `scope="notes:read notes:write"`},
		{"a reader writes with space around", reader, "\n [ " + addNote + " ] ", 403, `error="insufficient_scope"`},
		{"a reader writes in a batch", reader, "[" + listNotes + "," + addNote + "]", 403, `error="insufficient_scope"`},
		{"a reader reads in a batch", reader, "[" + listNotes + "," + strings.Replace(listNotes, `"id":1`, `"id":3`, 1) + "]", 200, ""},
		{"a reader names the tool", reader, strings.Replace(listNotes, `{}`, `{"name":"add_note"}`, 1), 200, ""},
		{"a writer reads", writer, listNotes, 403, `scope="notes:read notes:write"`},
		{"both", both, addNote, 200, ""},
		{"no JSON", reader, "tools/call add_note", 400, ""},
		{"too much", both, strings.Replace(addNote, `"x"`, `"`+strings.Repeat("x", 1<<20)+`"`, 1), 413, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := len(w.Notes("user_1815"))
			answer := w.send("POST", "/mcp", test.token, test.body)
			require.Equal(t, test.status, answer.StatusCode, answer.body)
			require.Contains(t, answer.Header.Get("WWW-Authenticate"), test.says)
			added := 0
			if test.name == "both" {
				added = 1
			}
			require.Len(t, w.Notes("user_1815"), before+added)
		})
	}
}

// If stepUp takes a request for reading and the SDK takes it for writing, the tool
// rejects it. For example, Go's decoder ignores the case of "Name" and uses the
// last of two.
func TestToolsLookAtTheTokenThemselves(t *testing.T) {
	w := newWorld(t)
	reader := w.issue("user_1815", w.url+"/mcp", "notes:read")
	for _, disguised := range []string{
		strings.Replace(addNote, `"name":"add_note"`, `"name":"add_note","Name":"list_notes"`, 1),
		strings.Replace(addNote, `"params"`, `"METHOD":"tools/list","params"`, 1),
		addNote + listNotes,
		addNote + "x",
	} {
		answer := w.send("POST", "/mcp", reader, disguised)
		require.NotEqual(t, 403, answer.StatusCode, "this is to pass the first check: %s", disguised)
		require.Len(t, w.Notes("user_1815"), 2, disguised)
	}
	answer := w.send("POST", "/mcp", reader, strings.Replace(addNote, `"name":"add_note"`, `"name":"add_note","Name":"list_notes"`, 1))
	require.Contains(t, answer.body, "the token lacks the scope notes:write")
}

// Clients in browsers can read the 401 and discover the provider.
func TestOtherOrigins(t *testing.T) {
	w := newWorld(t)
	origin := []string{"Origin", "https://agent.example"}
	preflight := w.send("OPTIONS", "/mcp", "", "", append(origin, "Access-Control-Request-Method", "POST",
		"Access-Control-Request-Headers", "authorization,content-type,mcp-protocol-version")...)
	require.Equal(t, 204, preflight.StatusCode)
	require.Equal(t, "*", preflight.Header.Get("Access-Control-Allow-Origin"))
	require.Contains(t, preflight.Header.Get("Access-Control-Allow-Methods"), "POST")
	require.Equal(t, "Authorization, *", preflight.Header.Get("Access-Control-Allow-Headers"))
	refused := w.send("POST", "/mcp", "", listNotes, origin...)
	require.Equal(t, 401, refused.StatusCode)
	require.Equal(t, "*", refused.Header.Get("Access-Control-Allow-Origin"))
	require.Contains(t, refused.Header.Get("Access-Control-Expose-Headers"), "WWW-Authenticate")
	require.Empty(t, refused.Header.Get("Access-Control-Allow-Credentials"))
	for _, path := range []string{"/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-authorization-server"} {
		require.Equal(t, "*", w.send("GET", path, "", "", origin...).Header.Get("Access-Control-Allow-Origin"), path)
	}
}
