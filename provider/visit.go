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

// pageMethods are the methods of the pages.
var pageMethods = []string{http.MethodGet, http.MethodHead, http.MethodPost}

// A visit is a request from a browser with which a user may be signed in. Every
// page uses it to send a visitor to sign in and back.
type visit struct {
	*call
	session Session
	path    string     // of the page
	params  url.Values // with which the visitor returns from signing in
	sentAt  time.Time  // when they were sent to sign in; zero if they were not
}

const (
	// freshFor is how long a visitor may take for a fresh sign-in.
	freshFor = time.Hour

	// loopTime is how long after being sent to sign in a visitor who returns
	// without a session sees an error instead of being sent again. After that
	// time, the visitor has probably reloaded the page.
	loopTime = 5 * time.Minute

	// clockSkew is how much the clocks of two instances may differ.
	clockSkew = 5 * time.Second

	// signInSkew is how much the clock of the host's sessions may be behind,
	// such as that of another machine or a database.
	signInSkew = time.Minute
)

// visit asks the host who is signed in. params are the parameters of the
// request; visit removes the mark of an earlier visit from them.
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
		session.SignedInAt = time.Time{} // A session without a time reads as zero seconds.
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

// warnOfOtherHost logs once if visitors use another host name than that of
// Issuer, because they have no session when an application sends them there.
func (c *call) warnOfOtherHost() {
	if c.r.Host == c.issuer.Host || c.otherHost.Load() || weburl.Same(c.issuer.Scheme+"://"+c.r.Host, c.issuer.Scheme+"://"+c.issuer.Host) {
		return
	}
	// A proxy may call the app by an internal name, which visitors don't use.
	name := (&url.URL{Host: c.r.Host}).Hostname()
	_, err := netip.ParseAddr(name)
	if upstream := err == nil || !strings.Contains(name, "."); upstream && !weburl.IsLoopback(c.issuer.Hostname()) {
		return
	}
	if c.otherHost.CompareAndSwap(false, true) {
		c.cfg.Logger.WarnContext(c.context(), "latchkey: visitors use another host name than that of Config.Issuer: set Issuer to the URL that they use; if a proxy replaces the Host header, make it pass the original one on",
			"endpoint", c.endpoint, "host", loggable(c.r.Host), "issuer_host", c.issuer.Host)
	}
}

// connectionsPath returns the path of the page of connected applications.
func (p *Provider) connectionsPath() string { return p.issuer.Path + p.cfg.Paths.Connections }

// again returns the path and query with which the visitor came to the page.
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

// wasSent reports whether the visitor was sent to sign in within the given
// time.
func (v *visit) wasSent(ago time.Duration) bool {
	now := v.now()
	return now.Sub(v.sentAt) <= ago && !v.sentAt.After(now.Add(clockSkew))
}

var errNoSession = errors.New("they left the sign-in page without signing in, or CurrentUser doesn't find their session: " +
	"a cookie with SameSite=Strict is not sent when a visitor comes from another site, nor is one of another host name or path")

// signIn sends a visitor to the host's sign-in page and back to this page. If a
// visitor came back without a session, it returns an error: with blocked
// cookies, or a session on another host name, they would loop.
func (v *visit) signIn(wish SignInRequest) *Error {
	if v.anonymous() && v.wasSent(loopTime) {
		return &Error{
			Code: codeLoginRequired, Status: http.StatusForbidden, reason: pages.ReasonNotSignedIn, retryURL: v.again(),
			Description: "The visitor came back from Config.SignIn, but Config.CurrentUser says that no one is signed in.",
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

// switchURL returns the URL of the page with a prompt to sign in as another
// user.
func (v *visit) switchURL(prompt string) string {
	params := maps.Clone(v.params)
	params.Set("prompt", prompt)
	return withQuery(v.path, params)
}
