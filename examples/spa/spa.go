package main

import (
	"embed"
	"encoding/json"
	"io/fs"
	"net/http"
)

//go:embed web
var web embed.FS

// spaHandler serves the files of Notes Reader, and a document with Acme's address.
// Any web server can do this.
func spaHandler(issuer, clientID string) http.Handler {
	files, err := fs.Sub(web, "web")
	if err != nil {
		panic(err) // The files are embedded.
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("GET /config.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]string{"issuer": issuer, "client_id": clientID})
	})
	// An injected script could use the page's tokens. So this policy allows only
	// the app's own script: nothing inline, nothing from other sites, and no text
	// that becomes HTML (trusted types). Scripts can send data only to Acme.
	policy := "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self' " + issuer +
		"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "no-referrer") // The address contains a code for a moment.
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-cache")
		mux.ServeHTTP(w, r)
	})
}
