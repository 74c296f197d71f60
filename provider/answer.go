package provider

import (
	"encoding/json"
	"net/http"
)

// errorResponse is the error body of RFC 6749 section 5.2.
type errorResponse struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// writeJSON answers with JSON that caches must not store (RFC 6749 section
// 5.1). The body is one of Latchkey's types, which always encodes.
func writeJSON(w http.ResponseWriter, status int, body any) {
	if err := encodeJSON(w, status, body); err != nil {
		panic("provider: answer: " + err.Error())
	}
}

// encodeJSON is writeJSON for a body that contains values from the host. If it
// fails, it has written nothing.
func encodeJSON(w http.ResponseWriter, status int, body any) error {
	buffer := takeBuffer()
	defer buffer.release()
	if err := json.NewEncoder(buffer).Encode(body); err != nil {
		return err
	}
	jsonHeaders.set(w.Header())
	w.WriteHeader(status)
	w.Write(buffer.Bytes())
	return nil
}

// A headerSet is a list of headers that never change. All answers share their
// value slices. The slices have no spare capacity, so Header.Add copies them.
type headerSet []struct {
	name  string
	value []string
}

func newHeaderSet(pairs ...string) (set headerSet) {
	for i := 1; i < len(pairs); i += 2 {
		set = append(set, struct {
			name  string
			value []string
		}{pairs[i-1], []string{pairs[i]}})
	}
	return set
}

func (s headerSet) set(h http.Header) {
	for _, header := range s {
		h[header.name] = header.value
	}
}

var (
	jsonHeaders = newHeaderSet("Content-Type", "application/json", "Cache-Control", "no-store", "Pragma", "no-cache", "X-Content-Type-Options", "nosniff")
	openHeaders = newHeaderSet("Access-Control-Allow-Origin", "*", "Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After")
)

// setHeaders sets headers, given as name, value in canonical form. It allocates
// once for all of them; Header.Set would allocate for each.
func setHeaders(h http.Header, pairs ...string) {
	values := make([]string, 0, len(pairs)/2)
	for i := 1; i < len(pairs); i += 2 {
		values = append(values, pairs[i])
		h[pairs[i-1]] = values[len(values)-1 : len(values) : len(values)]
	}
}

// seeOther redirects the browser to a path of this origin, or to a validated
// redirect URI.
func seeOther(w http.ResponseWriter, target string) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Location", target)
	w.WriteHeader(http.StatusSeeOther)
}
