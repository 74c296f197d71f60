package provider

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/provider/internal/weburl"
	"github.com/latchkey-go/latchkey/provider/pages"
)

// pageMethods are those of the endpoints that people see.
var pageMethods = []string{http.MethodGet, http.MethodHead, http.MethodPost}

// A visit is a call by a browser that a user may be signed in with. There is
// one way to send a visitor to sign in and back, for every page.
type visit struct {
	*call
	session Session
	path    string     // of the page
	params  url.Values // with which the visitor comes back from signing in
	sentAt  time.Time  // when they were sent to sign in; zero: they were not
}

const (
	// freshFor is how long a visitor may take for a fresh sign-in.
	freshFor = time.Hour

	// loopTime is how soon after they were sent to sign in a visitor who is
	// still not signed in is told so, and not sent again. Later it is rather a
	// page that was loaded anew.
	loopTime = 5 * time.Minute

	// clockSkew is by how much the clocks of two instances may differ.
	clockSkew = 5 * time.Second

	// signInSkew is by how much the clock of the host's sessions may be late,
	// such as that of another machine, or of a database.
	signInSkew = time.Minute
)

// visit asks the host who is signed in. The parameters are those of the request;
// the mark of an earlier visit is taken out of them.
func (c *call) visit(path string, params url.Values) (visit, *Error) {
	c.warnOfOtherHost()
	session, err := c.cfg.CurrentUser(c.r)
	if err != nil {
		return visit{}, unavailable("Config.CurrentUser", err)
	}
	if session.UserID != "" {
		if err := c.checkUserID(session.UserID); err != nil {
			return visit{}, errNoAccount(fmt.Errorf("Config.CurrentUser: %w", err))
		}
	}
	if session.SignedInAt.Unix() <= 0 {
		session.SignedInAt = time.Time{} // A session that has no time reads as zero seconds.
	}
	v := visit{call: c, session: session, path: path, params: params}
	if seconds, err := strconv.ParseInt(params.Get(signInAfter), 10, 64); err == nil {
		v.sentAt = time.Unix(seconds, 0)
	}
	if params.Has(signInAfter) {
		v.params = maps.Clone(params)
		v.params.Del(signInAfter)
	}
	return v, nil
}

// warnOfOtherHost says once that visitors come by another host than that of
// Issuer, where they have no session when an application sends them there.
func (c *call) warnOfOtherHost() {
	if c.r.Host == c.issuer.Host || c.otherHost.Load() || weburl.Same(c.issuer.Scheme+"://"+c.r.Host, c.issuer.Scheme+"://"+c.issuer.Host) {
		return
	}
	// What a proxy calls the app that it stands before is no name of visitors'.
	name := (&url.URL{Host: c.r.Host}).Hostname()
	_, err := netip.ParseAddr(name)
	if upstream := err == nil || !strings.Contains(name, "."); upstream && !weburl.IsLoopback(c.issuer.Hostname()) {
		return
	}
	if c.otherHost.CompareAndSwap(false, true) {
		c.cfg.Logger.WarnContext(c.context(), "latchkey: visitors come by another host than that of Config.Issuer: set Issuer to the URL that they use; if a proxy replaces the Host header, have it pass on the one that was sent",
			"endpoint", c.endpoint, "host", loggable(c.r.Host), "issuer_host", c.issuer.Host)
	}
}

// connectionsPath is the path of the page of connected applications.
func (p *Provider) connectionsPath() string { return p.issuer.Path + p.cfg.Paths.Connections }

// again is the path and query of the page as the visitor came to it.
func (v *visit) again() string { return withQuery(v.path, v.params) }

// withQuery returns the path with the parameters, if there are any.
func withQuery(path string, params url.Values) string {
	if len(params) == 0 {
		return path
	}
	return path + "?" + params.Encode()
}

// anonymous reports whether no one is signed in.
func (v *visit) anonymous() bool { return v.session.UserID == "" }

// wasSent reports whether the visitor was sent to sign in, not longer ago than
// that.
func (v *visit) wasSent(ago time.Duration) bool {
	now := v.now()
	return now.Sub(v.sentAt) <= ago && !v.sentAt.After(now.Add(clockSkew))
}

var errNoSession = errors.New("they left the sign-in page without signing in, or CurrentUser doesn't find their session: " +
	"a cookie with SameSite=Strict is not sent when a visitor comes from another site, nor is one of another host name or path")

// signIn sends a visitor to the host's sign-in page and back to this page. One
// who came back from there without being signed in is told so: with cookies
// blocked, or a session that is on another host name only, they would never
// come back signed in.
func (v *visit) signIn(wish SignInRequest) *Error {
	if v.anonymous() && v.wasSent(loopTime) {
		return &Error{
			Code: codeLoginRequired, Status: http.StatusForbidden, reason: pages.ReasonNotSignedIn, retryURL: v.again(),
			Description: "The visitor came back from Config.SignIn, and Config.CurrentUser says that nobody is signed in.",
			Err:         errNoSession,
		}
	}
	back := url.Values{signInAfter: {strconv.FormatInt(v.now().Unix(), 10)}}
	maps.Copy(back, v.params)
	wish.ReturnTo = withQuery(v.path, back)
	v.w.Header().Set("Cache-Control", "no-store")
	v.cfg.SignIn(v.w, v.r, wish)
	return nil
}

// switchURL is the page with the wish to sign in as someone else.
func (v *visit) switchURL(prompt string) string {
	params := maps.Clone(v.params)
	params.Set("prompt", prompt)
	return withQuery(v.path, params)
}
