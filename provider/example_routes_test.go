package provider_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store/memory"
)

// loadSession stands for the host's session middleware.
func loadSession(next http.Handler) http.Handler { return next }

// Keep the middleware of your pages away from the provider's endpoints, except
// the session middleware where a route reads the session.
func ExampleProvider_Routes() {
	p, mux := exampleProvider(), http.NewServeMux()
	for _, route := range p.Routes() {
		handler := route.Handler
		if route.Session {
			handler = loadSession(handler)
		}
		mux.Handle(route.Method+" "+route.Path, handler)
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", "/.well-known/oauth-authorization-server", nil))
	fmt.Println(w.Code)
	// Output: 200
}

// Serve several host names with a provider for each, because clients check the
// issuer. Each needs a separate store, or a separate prefix in one.
func ExampleProvider_Mount_hosts() {
	sites := map[string]http.Handler{}
	for _, name := range []string{"acme.example.com", "globex.example.com"} {
		cfg := goodConfig()
		cfg.Issuer = "https://" + name
		cfg.Store = memory.New() // sqlstore.Options.TablePrefix or redisstore.Options.Prefix keep them apart
		p, err := provider.New(cfg)
		if err != nil {
			log.Fatal(err)
		}
		mux := http.NewServeMux()
		p.Mount(mux)
		sites[name] = mux
	}
	byHost := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if site, ok := sites[r.Host]; ok {
			site.ServeHTTP(w, r)
			return
		}
		http.NotFound(w, r)
	})

	for _, name := range []string{"acme.example.com", "unknown.example.com"} {
		w := httptest.NewRecorder()
		byHost.ServeHTTP(w, httptest.NewRequest("GET", "https://"+name+"/.well-known/oauth-authorization-server", nil))
		fmt.Println(name, w.Code)
	}
	// Output:
	// acme.example.com 200
	// unknown.example.com 404
}
