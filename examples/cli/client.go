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

// metadata are what the provider says of itself (RFC 8414).
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
			// No endpoint redirects, and a redirect could carry a code or a
			// token away.
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
			// A public client has no secret, and says who it is in the form.
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
		return fmt.Errorf("%s calls itself %q: if that is the provider you mean, use it with -issuer", at, c.server.Issuer)
	}
	return errors.Join(
		checkURL("authorization_endpoint", c.server.Authorization),
		checkURL("token_endpoint", c.server.Token),
		checkURL("userinfo_endpoint", c.server.UserInfo),
		checkURL("revocation_endpoint", c.server.Revocation),
	)
}

// signIn gets a token and keeps it.
func (c *client) signIn(ctx context.Context) (*oauth2.Token, error) {
	if c.device {
		return c.signInByDevice(ctx)
	}
	return c.signInByBrowser(ctx)
}

// signInByBrowser sends the user's browser to the provider and turns the answer into a
// token. State ties the answer to this request, and the verifier of PKCE ties
// the code in it to this program.
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
	fmt.Fprintf(c.stdout, "Sign in with your browser, at this address if it does not open by itself:\n%s\n", address)
	if !c.noBrowser {
		if err := openBrowser(ctx, address); err != nil {
			fmt.Fprintf(c.stdout, "It did not open: %v\n", err)
		}
	}
	waiting, cancel := context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("nobody signed in within %s: run the program again", c.timeout))
	defer cancel()
	answer, err := back.answer(waiting, state)
	switch {
	case ctx.Err() != nil:
		return nil, errors.New("stopped before anybody signed in")
	case err != nil:
		return nil, err
	case answer.Get("iss") != c.issuer:
		// An answer of another server must not be taken for this one's (RFC 9207).
		return nil, errors.New("the answer did not come from this provider, so it was not used")
	case answer.Get("error") == "access_denied":
		return nil, errors.New("you did not allow it, so nobody is signed in")
	case answer.Has("error"):
		return nil, fmt.Errorf("the provider refused: %s (%s)", answer.Get("error_description"), answer.Get("error"))
	}
	token, err := config.Exchange(c.talking(ctx), answer.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, fmt.Errorf("the provider gave no token: %w", err)
	}
	return token, c.file.save(token)
}

// errSignedOut means that the provider has ended the sign-in.
var errSignedOut = errors.New("the provider has ended this sign-in: run the program again to sign in")

// refresh returns the token itself while it lives, and afterwards a new one.
// Each refresh gives a new refresh token too and spends the one before, so what
// comes back is saved before it is used. Two runs that refresh at the same
// moment get the same answer from Latchkey; with a provider that is less patient
// a program needs a lock here.
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

// user is what the program wants to know of its user. What the user did not
// allow is missing.
type user struct {
	ID    string `json:"sub"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

// String is how to call the user.
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

// userInfo asks who the user is. A token may have ended before its time, so if
// it is refused a refresh is tried too.
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

// revoke ends the sign-in at the provider (RFC 7009). The refresh token takes
// the access token with it.
func (c *client) revoke(ctx context.Context, token *oauth2.Token) error {
	form := url.Values{"client_id": {c.clientID}, "token": {cmp.Or(token.RefreshToken, token.AccessToken)}}
	if err := c.call(ctx, http.MethodPost, c.server.Revocation, nil, form, &struct{}{}); err != nil {
		return fmt.Errorf("the sign-in was not ended, and is still kept in %s: %w", c.file.path, err)
	}
	return nil
}

var errUnauthorized = errors.New("401 Unauthorized")

// call sends a request to one of the provider's endpoints, with a token or a
// form if it is given, and reads the answer, which is JSON.
func (c *client) call(ctx context.Context, method, address string, token *oauth2.Token, form url.Values, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode())) //nolint:gosec // checkURL has seen the address.
	if err != nil {
		return err
	}
	if token != nil {
		token.SetAuthHeader(request)
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := c.http.Do(request) //nolint:gosec // The same.
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
		return json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(into)
	case http.StatusUnauthorized:
		return fmt.Errorf("%s was answered with %w", address, errUnauthorized)
	}
	return fmt.Errorf("%s was answered with %s", address, answer.Status)
}

// talking tells package oauth2 which HTTP client to use.
func (c *client) talking(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, c.http)
}

// checkURL refuses addresses that a token must not go to: by plain http it
// would be there for everybody on the way to read.
func checkURL(name, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("%s %q is not a URL such as https://app.example.com", name, address)
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%s %q is plain http: use https, as http is for this machine only", name, address)
	}
	return nil
}
