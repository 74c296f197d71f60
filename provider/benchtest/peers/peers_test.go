package peers

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/latchkey-go/latchkey/provider/benchtest"
)

// What is measured must work: each stack signs users in over real HTTP,
// several at once.
func TestFlow(t *testing.T) {
	for _, m := range Makers {
		for _, pkce := range []bool{false, true} {
			name := m.Name
			if pkce {
				name += " PKCE"
			}
			s, err := m.Make()
			if err != nil {
				t.Fatal(name, err)
			}
			if s.Slow && pkce {
				continue // Its secret takes seconds to check; the public client of the same library shows PKCE.
			}
			t.Run(name, func(t *testing.T) {
				if s.Name != m.Name {
					t.Errorf("it calls itself %q", s.Name)
				}
				server := httptest.NewServer(s.Handler)
				t.Cleanup(server.Close)
				users := 8
				if s.Slow {
					users = 1
				}
				for range users {
					t.Run("", func(t *testing.T) {
						t.Parallel()
						flow(t, s, server.URL, pkce, m.Name == "limit")
					})
				}
			})
		}
	}
}

// flow signs in, and then tries what must fail. The limit checks less.
func flow(t *testing.T, s *benchtest.Stack, url string, pkce, limit bool) {
	stranger := s.AuthorizeRequest(pkce)
	stranger.Header = nil
	if answer := send(t, url, stranger); strings.Contains(answer.Location, "code=") {
		t.Error("a visitor who is not signed in gets a code")
	}
	answer := send(t, url, s.AuthorizeRequest(pkce))
	if !strings.HasPrefix(answer.Location, s.RedirectURI+"?") || !strings.Contains(answer.Location, "state=0123456789abcdef") {
		t.Errorf("the redirect is %q", answer.Location)
	}
	code, err := answer.Code()
	if err != nil {
		t.Fatal(err)
	}
	answer = send(t, url, s.CodeRequest(code, pkce))
	access, refresh, err := answer.Tokens()
	if err != nil {
		t.Fatal(err)
	}
	checkUser(t, s, url, access)
	if s.Introspect != "" {
		if answer := send(t, url, s.IntrospectRequest(access)); !strings.Contains(string(answer.Body), `"active":true`) {
			t.Errorf("introspection says %d %s", answer.Status, answer.Body)
		}
	}
	if s.Guarded != "" {
		if answer := send(t, url, benchtest.BearerRequest(s.Guarded, access)); answer.Status != http.StatusNoContent {
			t.Errorf("the guard says %d %s", answer.Status, answer.Body)
		}
	}

	answer = send(t, url, s.RefreshRequest(refresh))
	access, next, err := answer.Tokens()
	if err != nil {
		t.Fatal(err)
	}
	if next == refresh {
		t.Error("the refresh token was not rotated")
	}
	checkUser(t, s, url, access)

	// Nothing works twice, or if it is forged or another client's.
	if answer := send(t, url, benchtest.BearerRequest(s.UserInfo, "made up")); answer.Status < 400 && !isOAuthError(answer) {
		t.Errorf("a token that was made up reads %d %s", answer.Status, answer.Body)
	}
	refused(t, url, s.CodeRequest(code, pkce), "a spent code")
	refused(t, url, s.CodeRequest("made up", pkce), "a code that was made up")
	refused(t, url, s.RefreshRequest("made up"), "a refresh token that was made up")
	if s.Name != "latchkey" { // It gives the same tokens again for a while.
		refused(t, url, s.RefreshRequest(refresh), "a rotated refresh token")
	}
	if s.ClientSecret != "" {
		other := *s
		other.ClientSecret += "x"
		code, err := send(t, url, s.AuthorizeRequest(pkce)).Code()
		if err != nil {
			t.Fatal(err)
		}
		refused(t, url, other.CodeRequest(code, pkce), "a wrong secret")
	}
	if pkce && !limit {
		code, err := send(t, url, s.AuthorizeRequest(true)).Code()
		if err != nil {
			t.Fatal(err)
		}
		wrong := s.CodeRequest(code, true)
		wrong.Body = strings.Replace(wrong.Body, "code_verifier=a-", "code_verifier=b-", 1)
		refused(t, url, wrong, "a wrong verifier")
	}
}

func checkUser(t *testing.T, s *benchtest.Stack, url, token string) {
	t.Helper()
	answer := send(t, url, benchtest.BearerRequest(s.UserInfo, token))
	var got struct{ Sub, Name, Email string }
	if err := json.Unmarshal(answer.Body, &got); err != nil {
		t.Fatalf("%v in the userinfo document %s", err, answer.Body)
	}
	if want := (struct{ Sub, Name, Email string }{"user_ada", "Ada Lovelace", "ada@example.com"}); answer.Status != 200 || got != want {
		t.Errorf("userinfo says %d %s", answer.Status, answer.Body)
	}
}

func refused(t *testing.T, url string, q benchtest.Request, what string) {
	t.Helper()
	answer := send(t, url, q)
	if _, _, err := answer.Tokens(); err == nil {
		t.Errorf("%s is good for tokens: %d %s", what, answer.Status, answer.Body)
	}
}

// isOAuthError is true of errors that osin answers with the status 200.
func isOAuthError(a benchtest.Answer) bool {
	var e struct{ Error string }
	return json.Unmarshal(a.Body, &e) == nil && e.Error != ""
}

func send(t *testing.T, url string, q benchtest.Request) benchtest.Answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), q.Method, url+q.Path, strings.NewReader(q.Body))
	if err != nil {
		t.Fatal(err)
	}
	if q.Header != nil {
		r.Header = q.Header
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return benchtest.Answer{Status: answer.StatusCode, Location: answer.Header.Get("Location"), Body: body}
}
