package diagnose

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

// references are texts such as "7Q4K-M2XD". Each error page has a different
// one.
var references = regexp.MustCompile(`\b[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}\b`)

// referenceOf returns the reference of a page, or "". A match without a letter
// is probably a phone number on a custom page.
func referenceOf(page string) string {
	for _, text := range references.FindAllString(page, -1) {
		if strings.ContainsFunc(text, unicode.IsLetter) {
			return text
		}
	}
	return ""
}

// question returns an authorization request of an application that doesn't
// exist.
func question() url.Values {
	q := unique()
	for name, value := range map[string]string{"response_type": "code", "client_id": unknown, "redirect_uri": elsewhere + "/callback", "state": "x"} {
		q.Set(name, value)
	}
	return q
}

// checkAuthorize sends an authorization request for an application that doesn't
// exist, and expects a page of the provider.
func (d *doctor) checkAuthorize() {
	if d.at.Authorize == "" {
		return
	}
	x := d.get(d.at.Authorize+"?"+question().Encode(), "Origin", elsewhere)
	if !d.isPage(x) || x.StatusCode >= http.StatusInternalServerError {
		d.blame(x)
		return
	}
	d.page = x
	d.visits = append(d.visits, x)
	if len(x.Header.Values("Access-Control-Allow-Origin")) > 0 {
		d.report("cors-authorize", x, "")
	}
	if strings.Contains(x.body, "client_id is missing") {
		d.report("query-eaten", x, "")
		return
	}
	d.checkPagePolicy(x)

	long := question()
	long.Set("state", strings.Repeat("latchkey-doctor-", 230)) // 3.7 KB
	if y := d.get(d.at.Authorize + "?" + long.Encode()); !d.isPage(y) {
		d.report("long-urls", y, "")
	}

	// Other sites may post the request. The answer is a redirect to its GET
	// form.
	if y := d.post(d.at.Authorize, question()); y.location() == nil && !d.isPage(y) {
		d.blame(y)
	}
}

// checkPagePolicy checks the policies of a page of the provider. A browser
// enforces all of them.
func (d *doctor) checkPagePolicy(x *exchange) {
	own, builtIn := false, false
	for _, policy := range policies(x) {
		if isPagePolicy(policy) {
			own, builtIn = true, builtIn || strings.Contains(policy, "default-src 'none'; style-src 'sha256-")
		}
	}
	if !own && x.Header.Get("X-Frame-Options") != "DENY" || !own && len(policies(x)) > 0 {
		d.report("page-unprotected", x, "")
		return
	}
	for _, policy := range policies(x) {
		if isPagePolicy(policy) {
			continue
		}
		if keepsForms(policy, d.issuer.Host) {
			d.report("page-policy", x, "its form-action blocks the answers to applications")
		}
		if style, ok := directive(policy, "style-src", "default-src"); ok && builtIn && !strings.Contains(style, "'unsafe-inline'") && !strings.Contains(style, "'sha256-") {
			d.report("page-policy", x, "it doesn't allow their style")
		}
	}
}

// policies returns each Content-Security-Policy of an answer.
func policies(x *exchange) []string {
	var all []string
	for _, value := range x.Header.Values("Content-Security-Policy") {
		all = append(all, strings.Split(value, ",")...)
	}
	return all
}

// directive returns the sources of the first of the named directives that the
// policy has.
func directive(policy string, names ...string) (sources string, ok bool) {
	for _, name := range names {
		for one := range strings.SplitSeq(policy, ";") {
			if found, sources, _ := strings.Cut(strings.TrimSpace(one), " "); strings.EqualFold(found, name) {
				return sources, true
			}
		}
	}
	return "", false
}

// keepsForms reports whether the policy allows forms to lead only to this site.
// A list with other addresses may be that of the applications.
func keepsForms(policy, host string) bool {
	sources, ok := directive(policy, "form-action")
	if !ok {
		return false
	}
	for source := range strings.FieldsSeq(sources) {
		if source != "'self'" && source != "'none'" && !strings.HasSuffix(source, host) {
			return false
		}
	}
	return true
}

// maxVisits is how many redirects a visitor follows to the sign-in page.
const maxVisits = 6

// checkSignIn follows a visitor without a session from the page of connected
// applications to the sign-in page. If that page is left out or on another
// host, it skips the check, which would need a known application.
func (d *doctor) checkSignIn() {
	if d.foreign[d.at.Authorize] {
		return
	}
	at := d.issuer.String() + "/oauth/connections?" + unique().Encode()
	x := d.get(at)
	if d.clientID != "" && (x.Response == nil || x.location() == nil) {
		q := url.Values{"response_type": {"code"}, "client_id": {d.clientID}, "code_challenge_method": {"S256"}, "code_challenge": {strings.Repeat("A", 43)}}
		x = d.get(d.at.Authorize + "?" + q.Encode())
	}
	switch {
	case x.Response == nil, x.StatusCode == http.StatusNotFound, x.StatusCode < 300 && !d.isPage(x) && d.has("spa-catch-all"):
		return
	case x.StatusCode >= http.StatusInternalServerError:
		d.blame(x)
		return
	}
	if x.location() == nil && !strings.Contains(x.body, `type="password"`) {
		return // It is another page of the app, or one that offers several ways to sign in.
	}
	d.visits = append(d.visits, x)
	seen := map[string]bool{}
	for range maxVisits {
		to := x.location()
		if to == nil {
			break
		}
		inner := isInner(to.Hostname()) && !isInner(d.issuer.Hostname()) || isLoopback(to.Hostname()) && !isLoopback(d.issuer.Hostname())
		switch {
		case to.Host != d.issuer.Host && (inner || to.Hostname() == d.issuer.Hostname() && to.Port() != "" && to.Scheme == d.issuer.Scheme):
			d.report("inner-host", x, to.Scheme+"://"+to.Host)
			return
		case to.Hostname() != d.issuer.Hostname():
			return // to another site where people sign in
		case to.Scheme == "http" && d.issuer.Scheme == "https":
			d.report("inner-scheme", x, to.Scheme+"://"+to.Host+to.Path)
			return
		case seen[to.Path]:
			d.report("sign-in-loop", x, "")
			return
		}
		seen[to.Path] = true
		from := x
		x = d.get(to.String())
		if x.Response == nil {
			d.blame(x)
			return
		}
		d.visits = append(d.visits, x)
		switch {
		case x.StatusCode == http.StatusNotFound:
			x.sent = from.sent
			d.report("sign-in-missing", x, "")
			return
		case x.StatusCode >= http.StatusInternalServerError:
			d.blame(x)
			return
		}
	}
	if x.location() != nil {
		d.report("sign-in-loop", x, "")
		return
	}
	if x.isHTML() && strings.Contains(x.body, "<form") && !d.isPage(x) {
		for _, policy := range policies(x) {
			if keepsForms(policy, d.issuer.Host) {
				d.report("sign-in-policy", x, "")
			}
		}
	}
}

// checkCookies checks the cookies of the app's pages. One of them is the
// session's.
func (d *doctor) checkCookies() {
	for _, x := range d.visits {
		for _, c := range x.Cookies() {
			d.checkCookie(x, c)
		}
	}
	for _, c := range d.metadataAnswer.Cookies() {
		if !ofBalancer(c.Name) {
			d.report("cookie-public", d.metadataAnswer, c.Name)
		}
	}
}

// ofBalancer reports whether a cookie belongs to a proxy, which uses it to find
// the same instance again or to recognize a browser.
func ofBalancer(name string) bool {
	name = strings.ToLower(name)
	for _, known := range []string{"awsalb", "awselb", "ingresscookie", "__cf", "cf_", "arraffinity", "bigip", "gclb", "lb", "srv", "serverid", "route", "sticky", "fly-", "traefik"} {
		if strings.HasPrefix(name, known) {
			return true
		}
	}
	return false
}

func (d *doctor) checkCookie(x *exchange, c *http.Cookie) {
	lower := strings.ToLower(c.Name)
	if ofBalancer(c.Name) || c.MaxAge < 0 {
		return
	}
	host := d.issuer.Hostname()
	domain := strings.TrimPrefix(strings.ToLower(c.Domain), ".")
	session := c.HttpOnly || looksLikeSession(lower)
	forForms := strings.Contains(lower, "csrf") || strings.Contains(lower, "xsrf") || strings.Contains(lower, "forgery")
	switch {
	case domain != "" && domain != host && !strings.HasSuffix(host, "."+domain):
		d.report("cookie-domain", x, c.Name)
	case c.SameSite == http.SameSiteNoneMode && !c.Secure:
		d.report("cookie-none", x, c.Name)
	case c.SameSite == http.SameSiteStrictMode && session && !forForms:
		d.report("cookie-strict", x, c.Name)
	case !c.Secure && d.issuer.Scheme == "https" && session:
		d.report("cookie-insecure", x, c.Name)
	}
	authorize, err := url.Parse(d.at.Authorize)
	if err == nil && c.Path != "" && !strings.HasPrefix(authorize.Path, c.Path) && looksLikeSession(lower) {
		y := *x
		y.url = d.at.Authorize
		d.report("cookie-path", &y, c.Name)
	}
}

func looksLikeSession(name string) bool {
	return strings.Contains(name, "sess") || strings.Contains(name, "sid") || strings.Contains(name, "auth")
}
