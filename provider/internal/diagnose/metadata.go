package diagnose

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// metadata is the part of the document of RFC 8414 that the doctor reads.
type metadata struct {
	Issuer     string   `json:"issuer"`
	Authorize  string   `json:"authorization_endpoint"`
	Token      string   `json:"token_endpoint"`
	UserInfo   string   `json:"userinfo_endpoint"`
	Revoke     string   `json:"revocation_endpoint"`
	Introspect string   `json:"introspection_endpoint"`
	Register   string   `json:"registration_endpoint"`
	Device     string   `json:"device_authorization_endpoint"`
	Logout     string   `json:"end_session_endpoint"`
	JWKS       string   `json:"jwks_uri"`
	Algorithms []string `json:"id_token_signing_alg_values_supported"`
	Resources  []string `json:"protected_resources"`
}

const (
	metadataPath  = "/.well-known/oauth-authorization-server" // RFC 8414 section 3: before the issuer's path
	discoveryPath = "/.well-known/openid-configuration"       // OpenID Connect Discovery section 4: after the issuer's path
	resourcePath  = "/.well-known/oauth-protected-resource"   // RFC 9728 section 3: before the resource's path
)

func (d *doctor) origin() string { return d.issuer.Scheme + "://" + d.issuer.Host }

func (d *doctor) metadataURL() string { return d.origin() + metadataPath + d.issuer.EscapedPath() }

// readMetadata returns the document of an answer.
func readMetadata(x *exchange) (m metadata, ok bool) {
	if x.Response == nil || x.StatusCode != http.StatusOK {
		return m, false
	}
	err := json.Unmarshal([]byte(x.body), &m)
	return m, err == nil && m.Issuer != ""
}

// checkMetadata checks that the document is where clients look for it, over TLS
// that they accept.
func (d *doctor) checkMetadata() {
	x := d.get(d.metadataURL())
	m, ok := readMetadata(x)
	if !ok && x.Response != nil && d.toIssuerOfResource() {
		x = d.get(d.metadataURL())
		m, ok = readMetadata(x)
	}
	d.metadataAnswer = x
	switch {
	case ok:
		d.at = m
		d.checkCertificate(x)
		if x.mediaType() != "application/json" {
			d.report("metadata-type", x, x.Header.Get("Content-Type"))
		}
		return
	case x.Response == nil:
		d.blame(x)
	case x.StatusCode == http.StatusOK && !x.isHTML() && strings.HasPrefix(strings.TrimSpace(x.body), "{"):
		d.report("metadata-broken", x, "")
	case x.StatusCode == http.StatusNotFound, x.StatusCode == http.StatusGone, x.StatusCode == http.StatusForbidden, x.StatusCode == http.StatusOK && x.body == "":
		d.blameLostMetadata(x)
	default:
		d.blame(x)
		if d.has("spa-catch-all", "login-wall", "redirect", "redirect-slash") {
			d.blameOtherPath(x)
		}
	}
	d.hidden = true
}

// toIssuerOfResource switches to the issuer of a resource, if the given URL is
// that of a resource.
func (d *doctor) toIssuerOfResource() bool {
	m, ok := readResource(d.get(d.origin() + resourcePath + d.issuer.EscapedPath()))
	if !ok || m.Resource != d.issuer.String() || len(m.Servers) == 0 {
		return false
	}
	issuer, err := url.Parse(m.Servers[0])
	if err != nil || issuer.Host == "" || issuer.String() == d.issuer.String() {
		return false
	}
	d.issuer = issuer
	return true
}

// blameLostMetadata reports why there is no document.
func (d *doctor) blameLostMetadata(x *exchange) {
	if d.issuer.Path != "" {
		if appended, ok := readMetadata(d.get(d.issuer.String() + metadataPath)); ok && appended.Issuer == d.issuer.String() {
			d.report("metadata-not-in-front", x, "")
			return
		}
	}
	switch {
	case d.blameOtherPath(x):
	case d.answersToken(d.issuer.String()):
		d.report("metadata-missing", x, "")
	case x.StatusCode == http.StatusForbidden:
		d.blame(x)
	default:
		d.report("nothing-here", x, "")
	}
}

// blameOtherPath reports an issuer that is the host without the given path.
func (d *doctor) blameOtherPath(x *exchange) bool {
	if d.issuer.Path == "" {
		return false
	}
	root, ok := readMetadata(d.get(d.origin() + metadataPath))
	if ok && root.Issuer == d.origin() {
		delete(d.found, "spa-catch-all")
		d.report("issuer-path", x, root.Issuer)
	}
	return ok
}

// answersToken reports whether the provider's token endpoint is at the usual
// path.
func (d *doctor) answersToken(below string) bool {
	x := d.get(below + "/oauth/token")
	return x.refused() && x.StatusCode == http.StatusMethodNotAllowed
}

// checkCertificate warns before the certificate expires. With the usual
// renewal, it never reaches the last tenth of its lifetime.
func (d *doctor) checkCertificate(x *exchange) {
	if x.TLS == nil || len(x.TLS.PeerCertificates) == 0 {
		return
	}
	c := x.TLS.PeerCertificates[0]
	if left := c.NotAfter.Sub(d.now()); left < c.NotAfter.Sub(c.NotBefore)/10 && left < 30*24*time.Hour {
		d.report("tls-expires-soon", x, c.NotAfter.UTC().Format(time.RFC3339))
	}
}

// checkIssuer compares the issuer in the document with the one that clients use
// (RFC 8414 section 3.3).
func (d *doctor) checkIssuer() {
	x := d.metadataAnswer
	is, err := url.Parse(d.at.Issuer)
	switch given := d.issuer.String(); {
	case d.at.Issuer == given:
	case err != nil:
		d.report("issuer-host", x, d.at.Issuer)
	case isInner(is.Hostname()) && !isLoopback(d.issuer.Hostname()) && is.Host != d.issuer.Host:
		d.report("issuer-inner", x, d.at.Issuer)
	case is.Host != d.issuer.Host:
		d.report("issuer-host", x, d.at.Issuer)
	case is.Scheme != d.issuer.Scheme:
		d.report("issuer-scheme", x, d.at.Issuer)
	default:
		d.report("issuer-path", x, d.at.Issuer)
	}
	if d.hidden {
		return
	}
	if d.issuer.Scheme == "http" && !isLoopback(d.issuer.Hostname()) {
		d.report("issuer-not-https", x, "")
	}
	for _, address := range []string{d.at.Authorize, d.at.Token, d.at.UserInfo, d.at.Revoke, d.at.Introspect, d.at.Register, d.at.Device, d.at.JWKS, d.at.Logout} {
		if address != "" && !strings.HasPrefix(address, d.at.Issuer+"/") {
			d.report("metadata-rewritten", x, address)
		}
	}
}

// checkInstances repeats the request on new connections, which may lead to
// other instances.
func (d *doctor) checkInstances() {
	for range 3 {
		x := d.send(request{method: http.MethodGet, url: d.metadataURL(), fresh: true})
		switch {
		case x.Response != nil && x.StatusCode == http.StatusTooManyRequests:
			d.blame(x)
			return
		case x.Response == nil, x.StatusCode != http.StatusOK:
			d.report("instances-differ", x, "answers once with the document, and once without")
		case x.body != d.metadataAnswer.body:
			d.report("instances-differ", x, "answers with two different documents in turn")
		}
	}
}

// checkPlainHTTP checks that plain http redirects to https, or doesn't answer.
func (d *doctor) checkPlainHTTP() {
	if d.issuer.Scheme != "https" || d.issuer.Port() != "" {
		return
	}
	x := d.get("http://" + d.issuer.Host + metadataPath + d.issuer.EscapedPath())
	if _, ok := readMetadata(x); ok {
		d.report("http-open", x, "")
	}
}
