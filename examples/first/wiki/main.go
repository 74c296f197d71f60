// Wiki is the client of docs/start/quickstart.md: another app, which signs in with
// the provider.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"html/template"
	"log"
	"net/http"
	"time"

	"golang.org/x/oauth2"
)

var welcome = template.Must(template.New("").Parse(`<!DOCTYPE html><meta name="viewport" content="width=device-width"><title>Wiki</title>
<h1>Welcome to Wiki, {{.Name}} ({{.Email}})</h1><p>Try the API:</p>
<pre>curl -H 'Authorization: Bearer {{.Token}}' {{.Issuer}}/api/me</pre>
<p><a href="{{.Issuer}}">Go to My app</a></p>`))

func main() {
	addr := flag.String("addr", "localhost:9000", "`host:port` to listen on")
	issuer := flag.String("issuer", "http://localhost:8080", "`URL` of the provider")
	id := flag.String("id", "", "client id, as the provider printed it")
	secret := flag.String("secret", "", "client secret, as the provider printed it")
	flag.Parse()

	config := &oauth2.Config{
		ClientID:     *id,
		ClientSecret: *secret,
		Endpoint:     oauth2.Endpoint{AuthURL: *issuer + "/oauth/authorize", TokenURL: *issuer + "/oauth/token"},
		RedirectURL:  "http://" + *addr + "/callback",
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		// The verifier stays in this browser. It makes state unnecessary: a code
		// that is injected into another browser is useless there (RFC 9700).
		verifier := oauth2.GenerateVerifier()
		http.SetCookie(w, &http.Cookie{Name: "verifier", Value: verifier, Path: "/callback", HttpOnly: true, SameSite: http.SameSiteLaxMode})
		http.Redirect(w, r, config.AuthCodeURL("", oauth2.S256ChallengeOption(verifier)), http.StatusSeeOther)
	})
	mux.HandleFunc("GET /callback", func(w http.ResponseWriter, r *http.Request) {
		verifier, err := r.Cookie("verifier")
		if err != nil || r.FormValue("error") != "" {
			http.Error(w, "Begin at /. "+r.FormValue("error_description"), http.StatusBadRequest)
			return
		}
		token, err := config.Exchange(r.Context(), r.FormValue("code"), oauth2.VerifierOption(verifier.Value))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		ask, err := http.NewRequestWithContext(r.Context(), http.MethodGet, *issuer+"/oauth/userinfo", nil)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		answer, err := config.Client(r.Context(), token).Do(ask)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer answer.Body.Close()
		var user struct{ Name, Email string }
		if err := json.NewDecoder(answer.Body).Decode(&user); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		welcome.Execute(w, map[string]string{"Name": user.Name, "Email": user.Email, "Token": token.AccessToken, "Issuer": *issuer})
	})
	fmt.Printf("Open http://%s\n", *addr)
	server := &http.Server{Addr: *addr, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}
