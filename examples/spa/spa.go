package main

import (
	"embed"
	"encoding/json"
	"io/fs"
	"net/http"
)

//go:embed web
var web embed.FS

// spaHandler serves Notes Reader: files, and where Acme is. Any web server
// would do.
func spaHandler(issuer, clientID string) http.Handler {
	files, err := fs.Sub(web, "web")
	if err != nil {
		panic(err) // They are part of the program.
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("GET /config.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]string{"issuer": issuer, "client_id": clientID})
	})
	// A script that gets into the page could use its tokens, so none gets in
	// but the page's own file: nothing inline, nothing from elsewhere, no text
	// that becomes HTML (trusted types). Nor can it send what it has anywhere
	// but to Acme.
	policy := "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self' " + issuer +
		"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "no-referrer") // For a moment the address has a code in it.
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-cache")
		mux.ServeHTTP(w, r)
	})
}
