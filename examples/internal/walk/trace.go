package walk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Trace returns a transport that prints a line for each request, and one for each
// response, with secrets cut short.
func Trace(who string, out io.Writer) http.RoundTripper {
	return &tracer{next: http.DefaultTransport, who: who, out: out}
}

type tracer struct {
	next http.RoundTripper
	who  string
	out  io.Writer
}

// RoundTrip implements http.RoundTripper.
func (t *tracer) RoundTrip(r *http.Request) (*http.Response, error) {
	fmt.Fprintf(t.out, "   %7s → %s %s%s\n", t.who, r.Method, readableURL(r.URL), describeRequest(r))
	answer, err := t.next.RoundTrip(r)
	if err != nil {
		fmt.Fprintf(t.out, "   %7s ← %v\n", t.who, err)
		return nil, err
	}
	description, err := describeAnswer(answer)
	fmt.Fprintf(t.out, "   %7s ← %d %s%s\n", t.who, answer.StatusCode, http.StatusText(answer.StatusCode), description)
	return answer, err
}

// describeRequest describes a request's credentials and form.
func describeRequest(r *http.Request) string {
	description := ""
	if scheme, credentials, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok {
		description += ", using " + scheme + " " + shorten(credentials)
	}
	if r.GetBody == nil {
		return description
	}
	body, err := r.GetBody()
	if err != nil {
		return description
	}
	text, _ := io.ReadAll(body) // It is a copy in memory.
	if form, err := url.ParseQuery(string(text)); err == nil && len(form) > 0 {
		description += ", with " + readableValues(form, " ")
	}
	return description
}

// describeAnswer describes a response: its redirect, its cookies, and its body.
func describeAnswer(a *http.Response) (string, error) {
	description := ""
	if to, err := a.Location(); err == nil {
		description += ", leads to " + readableURL(to)
	}
	for _, c := range a.Cookies() {
		verb := "sets"
		if c.MaxAge < 0 {
			verb = "deletes"
		}
		description += ", " + verb + " the cookie " + c.Name
	}
	body, err := io.ReadAll(io.LimitReader(a.Body, 1<<20))
	a.Body.Close()
	a.Body = io.NopCloser(bytes.NewReader(body)) // for the caller
	var token map[string]any
	switch kind, _, _ := mime.ParseMediaType(a.Header.Get("Content-Type")); {
	case kind == "text/html" && a.StatusCode == http.StatusOK:
		_, title, _ := strings.Cut(string(body), "<title>")
		title, _, _ = strings.Cut(title, "</title>")
		description += fmt.Sprintf(", the page %q", html.UnescapeString(title))
	case kind != "application/json":
	case json.Unmarshal(body, &token) == nil && token["access_token"] != nil:
		fields := url.Values{}
		for name, value := range token {
			fields.Set(name, fmt.Sprint(value))
		}
		description += ", with " + readableValues(fields, " ")
	default:
		description += fmt.Sprintf(", %d bytes of JSON", len(body))
	}
	return description, err
}

// readableURL formats a URL with its query decoded and its secrets cut short.
func readableURL(u *url.URL) string {
	bare := *u
	bare.RawQuery = ""
	if u.RawQuery == "" {
		return bare.String()
	}
	return bare.String() + "?" + strings.ReplaceAll(readableValues(u.Query(), "&"), " ", "+")
}

// secrets are the names of credentials and of values that protect a request.
var secrets = []string{
	"access_token", "client_secret", "code", "code_challenge", "code_verifier", "password", "refresh_token", "seal", "state",
}

func readableValues(values url.Values, separator string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value := strings.Join(values[name], " ")
		// Other secrets are long texts without words.
		random := len(value) >= 24 && !strings.ContainsAny(value, " :/.@")
		if name != "request" && random || slices.Contains(secrets, name) {
			value = shorten(value)
		} else if name == "request" {
			value = "…" // The consent form contains the whole request.
		} else if address, _, ok := strings.Cut(value, "?"); ok {
			value = address + "?…" // The rest can contain secrets.
		}
		if strings.Contains(value, " ") && separator == " " {
			value = `"` + value + `"`
		}
		parts = append(parts, name+"="+value)
	}
	return strings.Join(parts, separator)
}

// shorten keeps enough of a secret to recognize it.
func shorten(secret string) string {
	return secret[:min(len(secret)/4, 8)] + "…"
}
