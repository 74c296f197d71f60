package benchtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// A Stack is a provider under load: its handler, one confidential client, and
// one user whose browser sends the Cookie and is not asked for consent.
type Stack struct {
	Name    string
	Handler http.Handler `json:"-"`

	Authorize, Token, UserInfo string // paths
	Guarded, Introspect        string // empty if there is none

	ClientID, ClientSecret, RedirectURI, Scope string // no secret for a public client

	Cookie string

	// Slow is set if a request takes tenths of a second, so that a run sends
	// few.
	Slow bool
}

const (
	verifier = "a-verifier-of-at-least-forty-three-characters"
	basic    = "application/x-www-form-urlencoded"
)

var challenge = func() string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}()

// A Request is what a client or browser sends.
type Request struct {
	Method, Path, Body string
	Header             http.Header
}

// AuthorizeRequest is a browser's, of a visitor who is signed in and has agreed
// before.
func (s *Stack) AuthorizeRequest(pkce bool) Request {
	q := url.Values{
		"response_type": {"code"}, "client_id": {s.ClientID}, "redirect_uri": {s.RedirectURI}, "scope": {s.Scope}, "state": {"0123456789abcdef"},
	}
	if pkce {
		q.Set("code_challenge", challenge)
		q.Set("code_challenge_method", "S256")
	}
	return Request{Method: "GET", Path: s.Authorize + "?" + q.Encode(), Header: http.Header{"Cookie": {s.Cookie}}}
}

// CodeRequest redeems a code.
func (s *Stack) CodeRequest(code string, pkce bool) Request {
	form := "grant_type=authorization_code&code=" + url.QueryEscape(code) + "&redirect_uri=" + url.QueryEscape(s.RedirectURI)
	if pkce {
		form += "&code_verifier=" + verifier
	}
	return s.post(s.Token, form)
}

// RefreshRequest rotates a refresh token.
func (s *Stack) RefreshRequest(token string) Request {
	return s.post(s.Token, "grant_type=refresh_token&refresh_token="+url.QueryEscape(token))
}

// IntrospectRequest introspects a token.
func (s *Stack) IntrospectRequest(token string) Request {
	return s.post(s.Introspect, "token="+url.QueryEscape(token))
}

func (s *Stack) post(path, form string) Request {
	header := http.Header{"Content-Type": {basic}}
	if s.ClientSecret == "" {
		return Request{Method: "POST", Path: path, Body: form + "&client_id=" + url.QueryEscape(s.ClientID), Header: header}
	}
	credentials := base64.StdEncoding.EncodeToString([]byte(s.ClientID + ":" + s.ClientSecret))
	header.Set("Authorization", "Basic "+credentials)
	return Request{Method: "POST", Path: path, Body: form, Header: header}
}

// BearerRequest presents an access token.
func BearerRequest(path, token string) Request {
	return Request{Method: "GET", Path: path, Header: http.Header{"Authorization": {"Bearer " + token}}}
}

// Answer is an HTTP answer.
type Answer struct {
	Status   int
	Location string
	Body     []byte
}

// Code reads the code from a redirect.
func (a Answer) Code() (string, error) {
	u, err := url.Parse(a.Location)
	if err != nil || u.Query().Get("code") == "" {
		return "", fmt.Errorf("no code in the answer: %d %q %s", a.Status, a.Location, a.Body)
	}
	return u.Query().Get("code"), nil
}

// Tokens reads the answer of a token endpoint.
func (a Answer) Tokens() (access, refresh string, err error) {
	var tokens struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if err := json.Unmarshal(a.Body, &tokens); err != nil || tokens.Access == "" || tokens.Refresh == "" {
		return "", "", fmt.Errorf("no tokens in the answer: %d %s", a.Status, a.Body)
	}
	return tokens.Access, tokens.Refresh, nil
}

// A Recorder is a ResponseWriter that costs almost nothing.
type Recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// NewRecorder returns a Recorder for one request.
func NewRecorder() *Recorder { return &Recorder{header: http.Header{}, status: http.StatusOK} }

// Header implements http.ResponseWriter.
func (r *Recorder) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *Recorder) WriteHeader(status int) { r.status = status }

// Write implements http.ResponseWriter.
func (r *Recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

// Answer returns what was written.
func (r *Recorder) Answer() Answer {
	return Answer{r.status, r.header.Get("Location"), r.body.Bytes()}
}

// body is a request's body that can be read again.
type body struct{ strings.Reader }

func (*body) Close() error { return nil }

// Prepare makes the request as a server would get it. It can be sent once.
func (q Request) Prepare() (*http.Request, error) {
	u, err := url.ParseRequestURI(q.Path)
	if err != nil {
		return nil, err
	}
	b := &body{}
	b.Reset(q.Body)
	return &http.Request{
		Method: q.Method, URL: u, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: q.Header, Body: b,
		ContentLength: int64(len(q.Body)), Host: "localhost", RemoteAddr: "127.0.0.1:40000", RequestURI: q.Path,
	}, nil
}

// Do sends a request to the handler, without a network.
func (s *Stack) Do(q Request) (Answer, error) {
	r, err := q.Prepare()
	if err != nil {
		return Answer{}, err
	}
	w := NewRecorder()
	s.Handler.ServeHTTP(w, r)
	return w.Answer(), nil
}
