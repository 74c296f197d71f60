package provider

import (
	"net/http"
	"strconv"
	"time"
)

// JWKSHandler serves the public keys that verify ID tokens, as a JWK Set (RFC
// 7517). It returns 404 unless Config.OpenID is set.
func (p *Provider) JWKSHandler() http.Handler {
	if p.cfg.OpenID == nil {
		return http.NotFoundHandler()
	}
	return p.handler(endpoint{name: "jwks", methods: []string{http.MethodGet, http.MethodHead}, open: true, serve: (*call).serveJWKS, refuse: (*call).writeError})
}

func (c *call) serveJWKS() *Error {
	set, maxAge, err := c.cfg.Keys.PublicKeys(c.context())
	if err != nil {
		return unavailable("Config.Keys", err)
	}
	setHeaders(c.w.Header(), "Content-Type", "application/json",
		"Cache-Control", "public, max-age="+strconv.FormatInt(int64(maxAge/time.Second), 10), "X-Content-Type-Options", "nosniff")
	c.w.Write(set) //nolint:gosec // It is JSON of the host's keys.
	return nil
}
