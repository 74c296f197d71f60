package diagnose

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// checkCaching checks that nothing caches answers for one visitor.
func (d *doctor) checkCaching() {
	private := slices.Clone(d.refusals)
	if d.page != nil {
		private = append(private, d.page)
		again := d.get(d.page.url, "Origin", elsewhere)
		if r := referenceOf(d.page.body); r != "" && again.Response != nil && strings.Contains(again.body, r) {
			d.report("cached", again, "")
		}
	}
	for _, x := range private {
		control := strings.Join(x.Header.Values("Cache-Control"), ", ")
		hit := strings.HasPrefix(strings.ToUpper(x.Header.Get("X-Cache")), "HIT") || strings.EqualFold(x.Header.Get("Cf-Cache-Status"), "HIT")
		switch {
		case hit:
			d.report("cached", x, "")
		case !strings.Contains(control, "no-store"):
			d.report("cache-control", x, "")
		}
	}
	d.checkAge(d.metadataAnswer)
}

// longestAge is how long documents may be cached: keys wait a day at most.
const longestAge = 24 * time.Hour

// checkAge checks a document that caches may keep for some minutes.
func (d *doctor) checkAge(x *exchange) {
	for _, value := range x.Header.Values("Cache-Control") {
		for one := range strings.SplitSeq(value, ",") {
			name, seconds, _ := strings.Cut(strings.TrimSpace(one), "=")
			n, err := strconv.ParseInt(seconds, 10, 64)
			if err == nil && (name == "max-age" || name == "s-maxage") && n > int64(longestAge/time.Second) {
				d.report("cached-long", x, one)
			}
		}
	}
	if n, err := strconv.ParseInt(x.Header.Get("Age"), 10, 64); err == nil && n > int64(time.Hour/time.Second) {
		d.report("cached-long", x, "it is "+(time.Duration(n)*time.Second).String()+" old")
	}
}

// clockSkew is how much two clocks may differ.
const clockSkew = time.Minute

// checkClock compares the time in the return address of the sign-in page with
// this machine's clock. If there is none, it uses the time of an answer.
func (d *doctor) checkClock() {
	for _, x := range d.visits {
		if at, ok := timeOfVisit(x); ok {
			d.compareClock(x, at)
			return
		}
	}
	if d.page == nil {
		return
	}
	if at, err := http.ParseTime(d.page.Header.Get("Date")); err == nil {
		d.compareClock(d.page, at)
	}
}

func (d *doctor) compareClock(x *exchange, at time.Time) {
	off := at.Sub(x.asked).Round(time.Second)
	switch {
	case off > clockSkew:
		d.report("clock", x, off.String()+" fast")
	case off < -clockSkew:
		d.report("clock", x, (-off).String()+" slow")
	}
}

// timeOfVisit returns when the provider sent a visitor to sign in, from the
// path to which the visitor returns.
func timeOfVisit(x *exchange) (at time.Time, ok bool) {
	to := x.location()
	if to == nil {
		return at, false
	}
	for _, values := range to.Query() {
		for _, value := range values {
			back, err := url.Parse(value)
			if err != nil {
				continue
			}
			if seconds, err := strconv.ParseInt(back.Query().Get("sign_in_after"), 10, 64); err == nil {
				return time.Unix(seconds, 0), true
			}
		}
	}
	return at, false
}

// isDocument reports whether an answer is a document, or says that there is
// none. Anything else comes from something in front of the app.
func isDocument(x *exchange) bool {
	return x.Response != nil && (x.StatusCode == http.StatusOK && !x.isHTML() || x.StatusCode == http.StatusNotFound)
}

// checkKeys checks that ID tokens can be verified. Without OpenID Connect, it
// does nothing.
func (d *doctor) checkKeys() {
	if d.at.JWKS == "" {
		return
	}
	x := d.get(d.issuer.String() + discoveryPath)
	switch m, ok := readMetadata(x); {
	case !isDocument(x):
		d.blame(x)
	case !ok:
		d.report("discovery-other", x, "it is not there")
	case m.Issuer != d.at.Issuer || m.JWKS != d.at.JWKS || m.Token != d.at.Token:
		d.report("discovery-other", x, "it names the issuer "+m.Issuer)
	}

	x = d.get(d.at.JWKS, "Origin", elsewhere)
	if !isDocument(x) {
		d.blame(x)
		return
	}
	var set struct {
		Keys []struct{ Kty, Alg, Kid string }
	}
	err := json.Unmarshal([]byte(x.body), &set)
	switch {
	case x.StatusCode != http.StatusOK:
		d.report("keys-missing", x, fmt.Sprintf("the answer is %d", x.StatusCode))
	case err != nil || set.Keys == nil:
		d.report("keys-missing", x, "the answer is not a JWK Set")
	case len(set.Keys) == 0:
		d.report("keys-missing", x, "the set is empty")
	default:
		for _, alg := range d.at.Algorithms {
			if !slices.ContainsFunc(set.Keys, func(k struct{ Kty, Alg, Kid string }) bool { return k.Alg == "" || k.Alg == alg }) {
				d.report("keys-missing", x, "there is none for "+alg)
			}
		}
		d.checkOrigin(x, "cors-missing")
		d.checkAge(x)
	}
}

// resourceMetadata is the part of the document of RFC 9728 that the doctor
// reads.
type resourceMetadata struct {
	Resource string   `json:"resource"`
	Servers  []string `json:"authorization_servers"`
}

func readResource(x *exchange) (m resourceMetadata, ok bool) {
	if x.Response == nil || x.StatusCode != http.StatusOK {
		return m, false
	}
	err := json.Unmarshal([]byte(x.body), &m)
	return m, err == nil
}

// checkResources follows the steps of an agent to each resource's metadata (RFC
// 9728 section 3).
func (d *doctor) checkResources() {
	for _, resource := range d.at.Resources {
		u, err := url.Parse(resource)
		if err != nil || u.Host == "" || d.alone && u.Host != d.issuer.Host {
			continue
		}
		at := u.Scheme + "://" + u.Host + resourcePath + u.EscapedPath()
		x := d.get(at, "Origin", elsewhere)
		switch m, ok := readResource(x); {
		case !isDocument(x):
			d.blame(x)
		case x.StatusCode != http.StatusOK:
			d.report("resource-metadata", x, fmt.Sprintf("the answer is %d", x.StatusCode))
		case !ok:
			d.report("resource-metadata", x, "the answer is another document")
		case m.Resource != resource:
			d.report("resource-metadata", x, "it is that of "+m.Resource)
		case !slices.Contains(m.Servers, d.at.Issuer):
			d.report("resource-metadata", x, "it doesn't name this issuer")
		default:
			d.checkOrigin(x, "cors-missing")
		}
		d.checkGuard(resource, at)
	}
}

// checkGuard requests the resource without a token. Only some answers mean a
// problem, because not every resource is an endpoint itself.
func (d *doctor) checkGuard(resource, metadata string) {
	x := d.get(resource)
	switch {
	case x.Response == nil:
		d.blame(x)
	case x.StatusCode == http.StatusUnauthorized && !strings.Contains(x.Header.Get("WWW-Authenticate"), `resource_metadata="`+metadata+`"`):
		if !d.has("challenge-eaten") {
			d.report("resource-challenge", x, "")
		}
	case x.StatusCode >= 500, x.location() != nil:
		d.blame(x)
	case x.StatusCode < 300 && (x.mediaType() == "text/event-stream" || json.Valid([]byte(x.body))): // Otherwise it is a page for people.
		d.report("resource-open", x, "")
	}
}

// checkApplication checks whether the application can sign in.
func (d *doctor) checkApplication() {
	if d.clientID == "" || d.page == nil || d.has("query-eaten") {
		return
	}
	q := question()
	q.Set("client_id", d.clientID)
	known, unknown := 0, (*exchange)(nil)
	for range 4 {
		x := d.send(request{method: http.MethodGet, url: d.at.Authorize + "?" + q.Encode(), fresh: true})
		switch {
		case x.Response == nil, x.StatusCode >= 500:
			d.blame(x)
			return
		case strings.Contains(x.body, "invalid_client"):
			unknown = x
		default:
			known++
		}
	}
	if unknown != nil && known > 0 {
		d.report("application-sometimes", unknown, "")
		return
	}
	if unknown != nil {
		d.report("application-unknown", unknown, "")
		return
	}
	q.Del("redirect_uri")
	if x := d.get(d.at.Authorize + "?" + q.Encode()); x.Response != nil && strings.Contains(x.body, "has no redirect URI registered") {
		d.report("application-no-redirect", x, "")
	}
}
