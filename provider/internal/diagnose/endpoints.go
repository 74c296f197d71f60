package diagnose

import (
	"net/http"
	"net/url"
	"strings"
)

// programs returns the endpoints that programs call, each with a request that
// the provider must refuse.
func (d *doctor) programs() []request {
	client := url.Values{"client_id": {unknown}, "token": {unknown}}
	var all []request
	add := func(address string, q request) {
		if address != "" {
			q.url = address
			q.header = append([]string{"Origin", elsewhere, "Sec-Fetch-Site", "cross-site"}, q.header...)
			all = append(all, q)
		}
	}
	add(d.at.Token, request{method: http.MethodPost, form: url.Values{
		"grant_type": {"authorization_code"}, "code": {unknown}, "client_id": {unknown}, "redirect_uri": {elsewhere},
	}})
	add(d.at.UserInfo, request{method: http.MethodGet, header: []string{"Authorization", "Bearer " + unknown}})
	add(d.at.Revoke, request{method: http.MethodPost, form: client})
	add(d.at.Introspect, request{method: http.MethodPost, form: client})
	// redirect_uris is not a list, so nothing is registered.
	add(d.at.Register, request{method: http.MethodPost, json: `{"redirect_uris":"` + unknown + `"}`})
	add(d.at.Device, request{method: http.MethodPost, form: client})
	return all
}

// checkEndpoints checks that the provider itself answers at its endpoints.
func (d *doctor) checkEndpoints() {
	for _, q := range d.programs() {
		x := d.send(q)
		if code, _ := x.refusal(); code == "server_error" && x.method == http.MethodPost && d.send(q.empty()).refused() {
			d.foreign[x.url] = true
			d.report("body-eaten", x, "") // The body was announced, but did not arrive.
			continue
		}
		if !x.refused() || x.StatusCode == http.StatusTooManyRequests || x.StatusCode >= http.StatusInternalServerError {
			d.blame(x)
			if d.hidden {
				return
			}
			continue
		}
		d.refusals = append(d.refusals, x)
		if x.url == d.at.Token {
			d.checkBody(q, x)
		}
	}
}

// empty returns the request without its body.
func (q request) empty() request {
	if q.form != nil {
		q.form = url.Values{}
	}
	if q.json != "" {
		q.json = " "
	}
	return q
}

// checkBody compares the refusal with that of a request without a body.
func (d *doctor) checkBody(q request, x *exchange) {
	_, said := x.refusal()
	if _, without := d.send(q.empty()).refusal(); without == said {
		d.report("body-eaten", x, "")
	}
}

// checkAuthorization checks that the Authorization header arrives unchanged and
// only once, and that the challenge comes back.
func (d *doctor) checkAuthorization() {
	for _, x := range d.refusals {
		code, _ := x.refusal()
		// The token endpoint was called without one.
		if x.url == d.at.Token && (strings.HasPrefix(x.Header.Get("WWW-Authenticate"), "Basic") || code == "invalid_request") {
			d.report("authorization-replaced", x, "")
			return
		}
	}
	for _, x := range d.refusals {
		switch code, _ := x.refusal(); {
		case x.url != d.at.UserInfo:
		case code == "":
			d.report("authorization-eaten", x, "")
		case x.Header.Get("WWW-Authenticate") == "":
			d.report("challenge-eaten", x, "")
		}
	}
	if d.at.Token == "" || d.foreign[d.at.Token] || d.has("authorization-eaten", "body-eaten", "challenge-eaten") {
		return
	}
	basic := []string{"Authorization", "Basic bGF0Y2hrZXktZG9jdG9yOng="}
	x := d.post(d.at.Token, url.Values{"grant_type": {"authorization_code"}, "code": {unknown}}, basic...)
	if x.refused() && x.StatusCode == http.StatusUnauthorized && x.Header.Get("WWW-Authenticate") == "" {
		d.report("authorization-eaten", x, "")
	} else if !x.refused() {
		d.blame(x)
	}
}

// preflight sends what a browser sends before it lets a page of another origin
// send a request.
func (d *doctor) preflight(address, method string) *exchange {
	return d.send(request{method: http.MethodOptions, url: address, header: []string{
		"Origin", elsewhere, "Access-Control-Request-Method", method,
		"Access-Control-Request-Headers", "authorization,content-type,mcp-protocol-version",
	}})
}

// checkCORS checks that pages of other origins can call the endpoints for
// programs, and that nothing else answers CORS with credentials.
func (d *doctor) checkCORS() {
	for _, x := range append([]*exchange{d.get(d.metadataURL(), "Origin", elsewhere)}, d.refusals...) {
		if x.url == d.at.Introspect || x.Response == nil || x.StatusCode == http.StatusTooManyRequests {
			continue // The first is only for servers.
		}
		if d.checkOrigin(x, "cors-missing") {
			continue
		}
		p := d.preflight(x.url, x.method)
		if p.Response == nil || p.StatusCode >= 300 {
			d.report("cors-preflight", p, "")
			continue
		}
		if !d.checkOrigin(p, "cors-preflight") &&
			(!allows(p, "Access-Control-Allow-Methods", x.method) || !allows(p, "Access-Control-Allow-Headers", "authorization") || !allows(p, "Access-Control-Allow-Headers", "content-type")) {
			d.report("cors-preflight", p, "")
		}
	}
}

// checkOrigin reports what is wrong with the header that allows other origins.
func (d *doctor) checkOrigin(x *exchange, missing string) (wrong bool) {
	if x.Response == nil {
		return false
	}
	allowed := x.Header.Values("Access-Control-Allow-Origin")
	switch {
	case len(allowed) > 1, len(allowed) == 1 && strings.Contains(allowed[0], ","):
		d.report("cors-twice", x, "")
	case x.Header.Get("Access-Control-Allow-Credentials") == "true":
		d.report("cors-credentials", x, "")
	case len(allowed) == 0, allowed[0] != "*" && allowed[0] != elsewhere:
		d.report(missing, x, "")
	default:
		return false
	}
	return true
}

// allows reports whether a list in a header contains the name, or everything.
func allows(x *exchange, header, name string) bool {
	for _, value := range x.Header.Values(header) {
		for one := range strings.SplitSeq(value, ",") {
			// The asterisk means everything except Authorization.
			if one = strings.TrimSpace(one); strings.EqualFold(one, name) || one == "*" && name != "authorization" {
				return true
			}
		}
	}
	return false
}
