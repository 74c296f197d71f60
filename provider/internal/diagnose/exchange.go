package diagnose

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	patience = 15 * time.Second // for each answer; see Options.Timeout
	maxBody  = 256 << 10        // bytes that are read of each answer
)

// elsewhere is an origin that doesn't exist (RFC 6761 section 6.4). It stands
// for a web page that calls the provider, and is used in redirect URIs.
const elsewhere = "https://latchkey-doctor.invalid"

// unknown is a client ID, a code, and a token that don't exist.
const unknown = "latchkey-doctor"

// An exchange is a request and its answer.
type exchange struct {
	method, url string
	sent        http.Header
	form        string

	*http.Response // nil if there is none
	err            error
	body           string
	asked          time.Time // when the answer arrived
}

// request is what to send.
type request struct {
	method, url string
	header      []string // names and values
	form        url.Values
	json        string
	fresh       bool // on a new connection, which may lead to another instance
}

func (d *doctor) get(address string, header ...string) *exchange {
	return d.send(request{method: http.MethodGet, url: address, header: header})
}

// post sends a form as a page on another site does.
func (d *doctor) post(address string, form url.Values, header ...string) *exchange {
	header = append([]string{"Origin", elsewhere, "Sec-Fetch-Site", "cross-site"}, header...)
	return d.send(request{method: http.MethodPost, url: address, header: header, form: form})
}

func (d *doctor) send(q request) *exchange {
	x := &exchange{method: q.method, url: q.url, form: q.form.Encode()}
	body := x.form
	if q.json != "" {
		body = q.json
	}
	r, err := http.NewRequestWithContext(d.ctx, q.method, q.url, strings.NewReader(body))
	if err != nil {
		x.err = err
		return x
	}
	r.Header.Set("User-Agent", "latchkey-doctor (https://pkg.go.dev/github.com/latchkey-go/latchkey/provider/doctor)")
	switch {
	case q.json != "":
		r.Header.Set("Content-Type", "application/json")
	case q.form != nil:
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 1; i < len(q.header); i += 2 {
		r.Header.Set(q.header[i-1], q.header[i])
	}
	r.Close = q.fresh
	x.sent = r.Header
	answer, err := d.client.Do(r)
	x.asked = d.now()
	if err != nil {
		x.err = err
		return x
	}
	read, err := io.ReadAll(io.LimitReader(answer.Body, maxBody))
	x.Response, x.body, x.err = answer, string(read), errors.Join(err, answer.Body.Close())
	return x
}

// place returns the path of the request.
func (x *exchange) place() string {
	u, err := url.Parse(x.url)
	if err != nil || u.Path == "" {
		return x.url
	}
	return u.Path
}

// evidence returns the request and its answer, shortened, with the headers of
// the answer that show the problem.
func (x *exchange) evidence(shows ...string) string {
	return strings.Join(x.lines(shows), "\n")
}

// lines returns the lines of the evidence. Text from the answer can't span
// lines or control a terminal.
func (x *exchange) lines(shows []string) []string {
	text := x.method + " " + shorten(x.url, 160)
	for _, name := range []string{"Origin", "Authorization"} {
		if value := x.sent.Get(name); value != "" {
			text += ", " + name + ": " + value
		}
	}
	if x.form != "" {
		text += ", " + shorten(x.form, 120)
	}
	all := []string{printable(text)}
	if x.Response == nil {
		if x.err != nil {
			all = append(all, "-> "+printable(shorten(x.err.Error(), 200)))
		}
		return all
	}
	text = "-> " + strconv.Itoa(x.StatusCode) + " " + http.StatusText(x.StatusCode)
	for _, name := range append([]string{"Location", "Server", "Content-Type"}, shows...) {
		for _, value := range x.Header.Values(name) {
			text += "; " + name + ": " + shorten(value, 160)
		}
	}
	all = append(all, printable(text))
	if body := strings.Join(strings.Fields(x.body), " "); body != "" {
		all = append(all, "   "+printable(shorten(body, 160)))
	}
	return all
}

// printable replaces characters that move the cursor, color, or hide text.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, text)
}

func shorten(text string, longest int) string {
	if len(text) <= longest {
		return text
	}
	return strings.ToValidUTF8(text[:longest], "") + "..."
}

// mediaType returns the type of the answer's body, without parameters.
func (x *exchange) mediaType() string {
	t, _, err := mime.ParseMediaType(x.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return t
}

func (x *exchange) isHTML() bool {
	start := strings.ToLower(strings.TrimSpace(x.body))
	return x.mediaType() == "text/html" || strings.HasPrefix(start, "<!doctype html") || strings.HasPrefix(start, "<html")
}

// object returns the JSON object of the answer, or nil.
func (x *exchange) object() map[string]any {
	if x.Response == nil {
		return nil
	}
	var o map[string]any
	if json.Unmarshal([]byte(x.body), &o) != nil {
		return nil
	}
	return o
}

// refusal returns the error code and the description of an answer in the form
// of RFC 6749 section 5.2, or empty strings.
func (x *exchange) refusal() (code, description string) {
	o := x.object()
	code, _ = o["error"].(string)
	description, _ = o["error_description"].(string)
	return code, description
}

// oauthErrors are the codes with which the endpoints for programs refuse.
var oauthErrors = map[string]bool{
	"invalid_request": true, "invalid_client": true, "invalid_grant": true, "unauthorized_client": true, "unsupported_grant_type": true,
	"invalid_scope": true, "invalid_target": true, "access_denied": true, "server_error": true, "temporarily_unavailable": true,
	"invalid_token": true, "insufficient_scope": true, "invalid_redirect_uri": true, "invalid_client_metadata": true,
}

// refused reports whether the answer is the provider's own refusal.
func (x *exchange) refused() bool {
	if x.Response == nil || x.mediaType() != "application/json" {
		return false
	}
	code, description := x.refusal()
	return oauthErrors[code] && description != "" || x.StatusCode == http.StatusUnauthorized && strings.TrimSpace(x.body) == "{}"
}

// location returns where a redirect leads, or nil.
func (x *exchange) location() *url.URL {
	if x.Response == nil || x.StatusCode < 300 || x.StatusCode > 399 || x.StatusCode == http.StatusNotModified {
		return nil
	}
	to, err := x.Location()
	if err != nil {
		return nil
	}
	return to
}

// unique returns a query that no cache has seen.
func unique() url.Values { return url.Values{"latchkey_doctor": {rand.Text()}} }
