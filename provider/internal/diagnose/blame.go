package diagnose

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"
)

// blame reports what answered instead of the provider, or why nothing did.
func (d *doctor) blame(x *exchange) {
	d.foreign[x.url] = true
	switch {
	case x.Response == nil:
		d.blameNetwork(x)
	case d.blameFront(x):
	case x.location() != nil:
		d.blameRedirect(x)
	default:
		d.blameAnswer(x)
	}
}

// blameNetwork reports why there is no answer.
func (d *doctor) blameNetwork(x *exchange) {
	var (
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		unknown   x509.UnknownAuthorityError
		verify    *tls.CertificateVerificationError
		record    tls.RecordHeaderError
		alert     tls.AlertError
		lookup    *net.DNSError
		handshake = errors.As(x.err, &alert) || strings.Contains(x.err.Error(), "tls: ")
	)
	switch {
	case errors.Is(x.err, os.ErrDeadlineExceeded), isTimeout(x.err):
		d.report("no-answer", x, "")
	case errors.As(x.err, &name):
		d.report("tls-wrong-name", x, strings.Join(name.Certificate.DNSNames, ", "))
	case errors.As(x.err, &invalid) && invalid.Reason == x509.Expired && d.now().Before(invalid.Cert.NotBefore):
		d.report("tls-not-yet", x, invalid.Cert.NotBefore.UTC().Format(time.RFC3339))
	case errors.As(x.err, &invalid) && invalid.Reason == x509.Expired:
		d.report("tls-expired", x, invalid.Cert.NotAfter.UTC().Format(time.RFC3339))
	case errors.As(x.err, &unknown) && errors.As(x.err, &verify) && incomplete(verify.UnverifiedCertificates):
		d.report("tls-chain", x, verify.UnverifiedCertificates[0].Issuer.String())
	case errors.As(x.err, &unknown), errors.As(x.err, &invalid), errors.As(x.err, &verify):
		d.report("tls-untrusted", x, "")
	case errors.As(x.err, &record), strings.Contains(x.err.Error(), "server gave HTTP response to HTTPS client"):
		d.report("tls-missing", x, "")
	case strings.Contains(x.err.Error(), "certificate required"):
		d.report("tls-client-certificate", x, "")
	case handshake:
		d.report("tls-handshake", x, "")
	case d.answers() && strings.HasPrefix(x.url, d.origin()+"/"):
		d.report("app-fails", x, "") // A panic closes the connection.
	case errors.As(x.err, &lookup):
		d.report("name-unknown", x, "")
	case errors.Is(x.err, syscall.ECONNREFUSED):
		d.report("unreachable", x, "nothing listens at that port")
	default:
		d.report("unreachable", x, "the connection fails")
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// incomplete reports whether a server has sent its own certificate without the
// intermediate one.
func incomplete(sent []*x509.Certificate) bool {
	// A public authority says where its certificate is.
	return len(sent) == 1 && len(sent[0].IssuingCertificateURL) > 0
}

// answers reports whether the app has answered before.
func (d *doctor) answers() bool { return d.at.Issuer != "" }

// blameFront reports a proxy in front that identifies itself.
func (d *doctor) blameFront(x *exchange) bool {
	code, description := x.refusal()
	body := strings.ToLower(x.body)
	switch {
	case x.StatusCode == http.StatusBadRequest && strings.Contains(body, "ssl certificate"):
		d.report("tls-client-certificate", x, "")
	case x.StatusCode == http.StatusTooManyRequests:
		d.report("rate-limited", x, "")
	case code == "temporarily_unavailable" && description != "", d.isPage(x) && x.StatusCode == http.StatusServiceUnavailable:
		d.report("store-down", x, "")
	case x.Header.Get("Cf-Mitigated") != "", strings.Contains(body, "captcha"), strings.Contains(body, "challenge-platform"),
		strings.Contains(body, "just a moment...") && x.StatusCode >= 400:
		d.report("bot-check", x, "")
	case d.answers() && x.StatusCode == http.StatusBadGateway:
		d.report("app-fails", x, "") // The proxy reaches the app, which hangs up on this path.
	case x.StatusCode == http.StatusBadGateway, x.StatusCode == http.StatusServiceUnavailable, x.StatusCode == http.StatusGatewayTimeout,
		x.StatusCode >= 520 && x.StatusCode <= 530: // those of Cloudflare
		d.report("app-down", x, "")
	case x.StatusCode >= 500 && x.StatusCode != http.StatusNotImplemented:
		d.report("app-fails", x, "")
	default:
		return false
	}
	return true
}

// blameRedirect reports where a request is redirected instead of being
// answered.
func (d *doctor) blameRedirect(x *exchange) {
	from, err := url.Parse(x.url)
	if err != nil {
		return
	}
	to := x.location()
	switch {
	case from.Scheme == "http" && to.Scheme == "https" && to.Hostname() == from.Hostname():
		d.report("redirect-to-https", x, "https://"+to.Host)
	case to.Scheme == "http" && from.Scheme == "https" && to.Hostname() == from.Hostname() && to.Path == from.Path:
		d.report("redirect-loop", x, "")
	case to.Host == from.Host && to.Path == from.Path:
		d.report("redirect-loop", x, "")
	case looksLikeSignIn(to) && !strings.HasSuffix(to.Path, from.Path), comesBack(to, from):
		d.report("login-wall", x, "")
	case to.Host != from.Host && to.Path == from.Path:
		d.report("redirect-to-host", x, to.Scheme+"://"+to.Host)
	case to.Path == from.Path+"/" || to.Path+"/" == from.Path:
		d.report("redirect-slash", x, to.Path)
	case to.Host != from.Host:
		d.report("redirect-to-host", x, to.Scheme+"://"+to.Host)
	default:
		d.report("redirect", x, to.Path)
	}
}

// looksLikeSignIn reports whether the URL looks like a sign-in page.
func looksLikeSignIn(u *url.URL) bool {
	for part := range strings.SplitSeq(strings.ToLower(u.Path), "/") {
		for _, word := range []string{"login", "log-in", "log_in", "logon", "signin", "sign-in", "sign_in", "sso"} {
			if strings.Contains(part, word) {
				return true
			}
		}
		if part == "auth" || part == "session" || part == "sessions" || part == "oauth2" || part == "authorize" {
			return true
		}
	}
	return false
}

// comesBack reports whether a redirect contains where it came from, like one to
// a sign-in page.
func comesBack(to, from *url.URL) bool {
	for _, values := range to.Query() {
		for _, value := range values {
			if strings.Contains(value, from.Path) {
				return true
			}
		}
	}
	return false
}

// blameAnswer reports other causes of an answer that isn't the provider's.
func (d *doctor) blameAnswer(x *exchange) {
	challenge := strings.ToLower(x.Header.Get("WWW-Authenticate"))
	post := x.method == http.MethodPost
	switch status := x.StatusCode; {
	case status == http.StatusUnauthorized && challenge != "" && !strings.HasPrefix(challenge, "bearer"):
		d.report("password-wall", x, "")
	case d.has("errors-replaced") && status >= 400, d.replacesErrors(x):
		d.report("errors-replaced", x, "")
	case status >= 400 && status < 500 && isCSRFCheck(x):
		d.report("csrf-check", x, "")
	case status == http.StatusUnauthorized, strings.Contains(x.body, `type="password"`):
		d.report("login-wall", x, "")
	case status == http.StatusMethodNotAllowed, status == http.StatusNotImplemented:
		d.report("method-blocked", x, x.method)
	case status == http.StatusForbidden && strings.Contains(strings.ToLower(x.body), "request method"):
		d.report("method-blocked", x, x.method) // CloudFront's message
	case post && isFirewall(x):
		d.report("blocked", x, "")
	case post && (status == http.StatusForbidden || status == http.StatusBadRequest || status == 419 || status == http.StatusUnprocessableEntity):
		if d.answersGET(x.url) {
			d.report("csrf-check", x, "")
			return
		}
		d.report("blocked", x, "")
	case status == http.StatusForbidden:
		d.report("blocked", x, "")
	case status < 300 && x.isHTML():
		d.report("spa-catch-all", x, "")
	case status == http.StatusNotFound, status == http.StatusGone, status < 300 && x.body == "": // Caddy answers like that too.
		d.report("not-passed-on", x, "")
	default:
		d.report("foreign-answer", x, "")
	}
}

// isCSRFCheck reports whether the answer says that it comes from a CSRF check.
// Some of those refuse a GET too.
func isCSRFCheck(x *exchange) bool {
	body := strings.ToLower(x.body)
	return strings.Contains(body, "csrf") || strings.Contains(body, "xsrf") || strings.Contains(body, "request forgery")
}

// isFirewall reports whether the answer is one of a firewall for web applications.
func isFirewall(x *exchange) bool {
	body := strings.ToLower(x.body)
	return strings.Contains(body, "firewall") || strings.Contains(body, "access denied") || strings.Contains(body, "request blocked") ||
		strings.Contains(body, "has been blocked")
}

// answersGET reports whether the provider answers a GET at the URL.
func (d *doctor) answersGET(address string) bool {
	x := d.get(address)
	return x.refused() || d.isPage(x)
}

// replacesErrors reports whether the provider got the request and only its
// error pages are replaced: a preflight succeeds, and the statuses are the
// provider's, such as that of the token endpoint for a GET.
func (d *doctor) replacesErrors(x *exchange) bool {
	if x.StatusCode < 400 || x.refused() || strings.Contains(x.url, "/.well-known/") {
		return false
	}
	preflight := d.preflight(x.url, x.method)
	if preflight.Response == nil || preflight.StatusCode != http.StatusNoContent || preflight.Header.Get("Access-Control-Allow-Origin") != "*" {
		return false
	}
	wrong := d.get(d.at.Token)
	return wrong.Response != nil && wrong.StatusCode == http.StatusMethodNotAllowed && !wrong.refused() && x.StatusCode != http.StatusMethodNotAllowed
}

// isPage reports whether the answer is a page of the provider, built in or
// custom: all have the same headers.
func (d *doctor) isPage(x *exchange) bool {
	if x.Response == nil || x.location() != nil {
		return false
	}
	for _, policy := range x.Header.Values("Content-Security-Policy") {
		if isPagePolicy(policy) {
			return true
		}
	}
	return x.Header.Get("X-Frame-Options") == "DENY" && x.Header.Get("Referrer-Policy") == "same-origin" ||
		strings.Contains(x.body, `<p lang="en" dir="ltr"><code>`)
}

// isPagePolicy reports whether a Content-Security-Policy is the one of the
// provider's pages.
func isPagePolicy(policy string) bool {
	return strings.Contains(policy, "base-uri 'none'; frame-ancestors 'none'")
}

// isInner reports whether a host is a name that only works inside a network.
func isInner(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback() || ip.IsPrivate() || ip.IsUnspecified()
	}
	host = strings.ToLower(host)
	return !strings.Contains(host, ".") || strings.HasSuffix(host, ".local") || strings.HasSuffix(host, ".internal") || strings.HasSuffix(host, ".localhost")
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback() || host == "localhost" || strings.HasSuffix(host, ".localhost")
}
