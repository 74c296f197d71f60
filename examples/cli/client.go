package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// client is this program at one provider.
type client struct {
	options
	server metadata
	oauth  oauth2.Config
	http   *http.Client
	file   tokenFile
	stdout io.Writer
}

// metadata is the provider's metadata document (RFC 8414).
type metadata struct {
	Issuer        string `json:"issuer"`
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	UserInfo      string `json:"userinfo_endpoint"`
	Revocation    string `json:"revocation_endpoint"`
	Device        string `json:"device_authorization_endpoint"` // empty: not offered
}

// newClient finds the provider's endpoints.
func newClient(ctx context.Context, opts options, stdout io.Writer) (*client, error) {
	file, err := newTokenFile(opts)
	if err != nil {
		return nil, err
	}
	c := &client{
		options: opts,
		http: &http.Client{
			Timeout: 15 * time.Second,
			// These endpoints don't redirect. Following a redirect could leak a
			// code or a token.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		file:   file,
		stdout: stdout,
	}
	if err := c.discover(ctx); err != nil {
		return nil, fmt.Errorf("cannot find the endpoints of %s: %w", opts.issuer, err)
	}
	c.oauth = oauth2.Config{
		ClientID: opts.clientID,
		Scopes:   opts.scopes,
		Endpoint: oauth2.Endpoint{
			AuthURL:       c.server.Authorization,
			TokenURL:      c.server.Token,
			DeviceAuthURL: c.server.Device,
			// A public client has no secret: it sends its ID in the form.
			AuthStyle: oauth2.AuthStyleInParams,
		},
	}
	return c, nil
}

func (c *client) discover(ctx context.Context) error {
	at, err := url.Parse(c.issuer)
	if err != nil {
		return err
	}
	// The issuer's path comes last (RFC 8414 section 3.1).
	at.Path = "/.well-known/oauth-authorization-server" + strings.TrimSuffix(at.Path, "/")
	if err := c.call(ctx, http.MethodGet, at.String(), nil, nil, &c.server); err != nil {
		return err
	}
	if c.server.Issuer != c.issuer { // RFC 8414 section 3.3
		return fmt.Errorf("%s names the issuer %q: if that is the provider you mean, pass it with -issuer", at, c.server.Issuer)
	}
	return errors.Join(
		checkURL("authorization_endpoint", c.server.Authorization),
		checkURL("token_endpoint", c.server.Token),
		checkURL("userinfo_endpoint", c.server.UserInfo),
		checkURL("revocation_endpoint", c.server.Revocation),
	)
}

// signIn gets a token and saves it.
func (c *client) signIn(ctx context.Context) (*oauth2.Token, error) {
	if c.device {
		return c.signInByDevice(ctx)
	}
	return c.signInByBrowser(ctx)
}

// signInByBrowser opens the provider in the user's browser and exchanges the
// code that comes back for a token. State binds the response to this request.
// The PKCE verifier binds the code to this program.
func (c *client) signInByBrowser(ctx context.Context) (*oauth2.Token, error) {
	back, err := newLoopback(ctx)
	if err != nil {
		return nil, err
	}
	defer back.listener.Close()
	config := c.oauth
	config.RedirectURL = back.redirectURI
	state, verifier := rand.Text(), oauth2.GenerateVerifier()
	address := config.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier))
	fmt.Fprintf(c.stdout, "Sign in with your browser. If it doesn't open, go to this address:\n%s\n", address)
	if !c.noBrowser {
		if err := openBrowser(ctx, address); err != nil {
			fmt.Fprintf(c.stdout, "The browser did not open: %v\n", err)
		}
	}
	waiting, cancel := context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("no one signed in within %s: run the program again", c.timeout))
	defer cancel()
	answer, err := back.answer(waiting, state)
	switch {
	case ctx.Err() != nil:
		return nil, errors.New("stopped before you signed in")
	case err != nil:
		return nil, err
	case answer.Get("iss") != c.issuer:
		// Reject the response of another server (RFC 9207).
		return nil, errors.New("the response came from another provider, so it was ignored")
	case answer.Get("error") == "access_denied":
		return nil, errors.New("you didn't allow access, so you are not signed in")
	case answer.Has("error"):
		return nil, fmt.Errorf("the provider rejected the request: %s (%s)", answer.Get("error_description"), answer.Get("error"))
	}
	token, err := config.Exchange(c.talking(ctx), answer.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, fmt.Errorf("the provider issued no token: %w", err)
	}
	return token, c.file.save(token)
}

// errSignedOut means that the provider ended the sign-in.
var errSignedOut = errors.New("the provider ended this sign-in: run the program again to sign in")

// refresh returns the token while it is valid, and a new one when it has
// expired. Each refresh rotates the refresh token, so the new token is saved
// before it is used. If two runs refresh at the same moment, Latchkey sends both
// the same response. With a provider that doesn't, use a lock here.
func (c *client) refresh(ctx context.Context, token *oauth2.Token) (*oauth2.Token, error) {
	fresh, err := c.oauth.TokenSource(c.talking(ctx), token).Token()
	var refusal *oauth2.RetrieveError
	switch {
	case errors.As(err, &refusal) && refusal.ErrorCode == "invalid_grant":
		return nil, errSignedOut
	case err != nil:
		return nil, err
	case fresh.AccessToken == token.AccessToken:
		return token, nil
	}
	return fresh, c.file.save(fresh)
}

// user is the userinfo document. Fields that the user did not allow are empty.
type user struct {
	ID    string `json:"sub"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

// String returns the best name for the user.
func (u *user) String() string {
	switch {
	case u.Name == "" && u.Email == "":
		return u.ID
	case u.Name == "":
		return u.Email
	case u.Email == "":
		return u.Name
	}
	return u.Name + " <" + u.Email + ">"
}

// userInfo fetches the userinfo document. A token can be revoked before it
// expires, so userInfo refreshes once if the token is rejected.
func (c *client) userInfo(ctx context.Context, token *oauth2.Token) (*user, error) {
	fresh, err := c.refresh(ctx, token)
	if err != nil {
		return nil, err
	}
	u, err := c.getUserInfo(ctx, fresh)
	if errors.Is(err, errUnauthorized) && fresh == token {
		expired := *token
		expired.Expiry = time.Now().Add(-time.Hour)
		if fresh, err = c.refresh(ctx, &expired); err != nil {
			return nil, err
		}
		u, err = c.getUserInfo(ctx, fresh)
	}
	if errors.Is(err, errUnauthorized) {
		return nil, errSignedOut
	}
	return u, err
}

func (c *client) getUserInfo(ctx context.Context, token *oauth2.Token) (*user, error) {
	var u user
	return &u, c.call(ctx, http.MethodGet, c.server.UserInfo, token, nil, &u)
}

// revoke ends the sign-in at the provider (RFC 7009). Revoking the refresh token
// also revokes the access token.
func (c *client) revoke(ctx context.Context, token *oauth2.Token) error {
	form := url.Values{"client_id": {c.clientID}, "token": {cmp.Or(token.RefreshToken, token.AccessToken)}}
	if err := c.call(ctx, http.MethodPost, c.server.Revocation, nil, form, &struct{}{}); err != nil {
		return fmt.Errorf("the sign-in has not ended and is still saved in %s: %w", c.file.path, err)
	}
	return nil
}

var errUnauthorized = errors.New("401 Unauthorized")

// call sends a request to one of the provider's endpoints, with the token or the
// form if there is one, and decodes the JSON response.
func (c *client) call(ctx context.Context, method, address string, token *oauth2.Token, form url.Values, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	if token != nil {
		token.SetAuthHeader(request)
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
		return json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(into)
	case http.StatusUnauthorized:
		return fmt.Errorf("%s responded with %w", address, errUnauthorized)
	}
	return fmt.Errorf("%s responded with %s", address, answer.Status)
}

// talking returns a context that makes package oauth2 use the HTTP client.
func (c *client) talking(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, c.http)
}

// checkURL rejects addresses that a token must not go to. Anyone on the network
// path can read a token that is sent over plain http.
func checkURL(name, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("%s %q is not a URL such as https://app.example.com", name, address)
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%s %q is plain http: use https, because http is allowed only for this machine", name, address)
	}
	return nil
}
