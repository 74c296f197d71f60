// Package provider turns a Go web app into an OAuth 2.0 provider: other apps
// get a "Sign in with" button for it and scoped access to its API. The host
// keeps its users, its sign-in page, its database and its router.
//
// # Embedding
//
// A host says five things: its own URL, where to keep records, who is signed
// in, where to sign in, and how to find a user.
//
//	p, err := provider.New(provider.Config{
//		Issuer:      "https://app.example.com",
//		Store:       memory.New(),
//		CurrentUser: func(r *http.Request) (provider.Session, error) { ... },
//		SignIn:      provider.RedirectTo("/login", "next"),
//		Users:       func(ctx context.Context, id string) (userinfo.User, error) { ... },
//	})
//	p.Mount(mux)
//
// That serves the authorization endpoint with its consent page, the token,
// userinfo, revocation, introspection and metadata endpoints, and the page of
// connected applications.
//
// # Applications
//
// An application that wants to sign people in is registered with
// [Provider.CreateApplication]. It gets a client id and a secret, which is
// shown this once and kept as a hash. An application that cannot keep a
// secret, such as a native or single-page one, is created as Public and uses
// PKCE instead.
//
// With Config.Registration, applications register themselves (RFC 7591), as MCP
// clients do, and manage that by a token of their own (RFC 7592). Nobody
// vouches for them: they use PKCE, the consent page is always shown and warns
// of them, and those that are no longer used are deleted. Anybody can make the
// store grow by it, so give Config.Limit, or let Registration.Allow ask for an
// initial access token.
//
// # Pages
//
// The consent page, the error page and the page of connected applications are
// in the box. They have no scripts and load nothing but logos. Config.Name,
// LogoURL and AccentColor make them the host's, Config.Texts translates them,
// and Config.ConsentPage, ErrorPage and DevicePage replace them.
//
// A user may untick scopes, unless scopes.Scope says that one is Required; the
// token answer says what was granted. A confidential application is not asked
// for again unless it wants more than was granted. A public application is
// asked for each time, as anything on a device can pretend to be it (RFC 8252
// section 8.6). The host's own applications can skip the page.
//
// Browsers apply the consent page's policy to all redirects that follow its
// form, so an answer can be sent on from https to https and among loopback
// addresses. A callback on https that hands over to an app by a scheme of the
// app's own answers with a page that does so, or registers that scheme.
//
// # Devices
//
// With Config.DeviceAuthorization, a device without a browser can sign its user
// in too (RFC 8628). It shows a code and the address of a page, such as
// https://app.example.com/oauth/device; there the user, on a telephone, enters
// the code, sees who asks, and decides. Meanwhile the device asks the token
// endpoint every few seconds. What comes of it is a grant like any other.
//
// # Guarding the host's own API
//
// The same tokens open the host's own API. [Provider.Require] lets a request
// through only with a token of the right scopes:
//
//	mux.Handle("GET /api/notes", p.Require("notes:read")(notes))
//
// Inside, [TokenFromContext] says whose token it is. [Provider.Verify] does the
// same where a token comes by another way than HTTP, and [Provider.IssueToken]
// makes personal access tokens.
//
// An API that should have tokens of its own, such as an MCP server, is one of
// Config.Resources: [Provider.Resource] guards it, and serves the metadata by
// which its clients find their way here (RFC 8707, RFC 9728). A token for it
// opens nothing else, and no other token opens it.
//
// # Housekeeping
//
// [Provider.Cleanup] deletes what has expired; call it every few minutes.
// [Provider.RevokeGrants] ends sign-ins: of a user who was disabled, of an
// application that was caught, of a device that was lost. Config.Events is told
// of everything that happens.
//
// # Testing the host
//
// Package providertest has a ready host, and requests with real tokens for a
// host's own tests.
//
// # What it is built on
//
// The server of github.com/go-oauth2/oauth2/v4 reads requests and tells grants
// apart. Its default manager and stores are replaced, and no type of it is part
// of this package's API. The standards are RFC 6749 and 6750 with RFC 7009,
// 7591, 7592, 7636, 7662, 8252, 8414, 8628, 8707, 9207, 9700 and 9728. OpenID
// Connect is not offered.
package provider
