package provider

import "net/http"

// Route describes one endpoint and method that [Provider.Mount] registers.
type Route struct {
	Method  string
	Path    string // may end in a "{client_id}" wildcard; name it as your router requires
	Handler http.Handler

	// Session reports whether the route reads the host's session, so it must
	// come after the host's session middleware. The other routes are called by
	// programs without cookies, some of them in browsers, and answer CORS
	// requests themselves. Keep CSRF checks, sign-in walls, and CORS middleware
	// away from them.
	Session bool
}

// Mount registers every endpoint on the host's router, by method and path.
// Other routes, such as "GET /", keep working. Mount panics if a pattern
// conflicts with one that is already registered, as the router does.
// *http.ServeMux and chi's router are suitable.
func (p *Provider) Mount(mux interface {
	Handle(pattern string, handler http.Handler)
}) {
	for _, r := range p.Routes() {
		mux.Handle(r.Method+" "+r.Path, r.Handler)
	}
}

// Routes returns what [Provider.Mount] registers, for hosts that register it
// themselves or put middleware in front. If Issuer has a path, each endpoint is
// there both with and without it, so it makes no difference whether a proxy
// strips the prefix.
func (p *Provider) Routes() []Route {
	var routes []Route
	at := func(path string, h http.Handler, session bool) {
		// Register every method, even those that are answered with 405.
		// Otherwise the host's fallback page would answer them.
		for _, m := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			routes = append(routes, Route{Method: m, Path: path, Handler: h, Session: session})
		}
	}
	add := func(path string, h http.Handler, session bool) {
		if path == leaveOut {
			return
		}
		at(path, h, session)
		if p.issuer.Path != "" {
			at(p.issuer.Path+path, h, session)
		}
	}
	paths := p.cfg.Paths
	add(paths.Authorize, p.AuthorizeHandler(), true)
	add(paths.Token, p.TokenHandler(), false)
	add(paths.UserInfo, p.UserInfoHandler(), false)
	add(paths.Revoke, p.RevokeHandler(), false)
	add(paths.Introspect, p.IntrospectHandler(), false)
	add(paths.Connections, p.ConnectionsHandler(), true)
	if p.registers() {
		add(paths.Register, p.RegistrationHandler(), false)
		add(paths.Register+"/{client_id}", p.ClientConfigurationHandler(), false)
	}
	add(paths.DeviceAuthorization, p.DeviceAuthorizationHandler(), false)
	add(paths.Device, p.DeviceHandler(), true)
	add(paths.Logout, p.LogoutHandler(), true)
	add(paths.JWKS, p.JWKSHandler(), false)
	if !paths.NoMetadata {
		// This path ends with the path of Issuer, and a proxy that strips
		// prefixes doesn't change it.
		at(metadataPath+p.issuer.Path, p.MetadataHandler(), false)
		if p.issuer.Path != "" { // Many clients append the well-known path, as in OpenID Connect.
			add(metadataPath, p.MetadataHandler(), false)
		}
		if p.cfg.OpenID != nil {
			add(discoveryPath, p.MetadataHandler(), false)
			if p.issuer.Path != "" { // RFC 8414 section 5 puts a separate document before the path.
				at(discoveryPath+p.issuer.Path, p.MetadataHandler(), false)
			}
		}
	}
	for _, r := range p.resources {
		if r.own {
			at(r.path, r.MetadataHandler(), false)
		}
	}
	return routes
}
