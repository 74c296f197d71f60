// Package provider turns a Go web app into an OAuth 2.0 provider: other apps
// get a "Sign in with" button for it and scoped access to its API. The app,
// called the host, keeps its users, sign-in page, database, and router.
//
//	p, err := provider.New(provider.Config{
//		Issuer:      "https://app.example.com",
//		Store:       memory.New(),
//		CurrentUser: currentUser, // func(r *http.Request) (provider.Session, error)
//		SignIn:      provider.RedirectTo("/login", "next"),
//		Users:       findUser, // func(ctx context.Context, id string) (userinfo.User, error)
//		Scopes:      append(scopes.Default(), scopes.Scope{Name: "notes:read", Title: "Read your notes"}),
//	})
//	if err != nil {
//		log.Fatal(err)
//	}
//	p.Mount(mux)
//	mux.Handle("GET /api/notes", p.Require("notes:read")(notes))
//
// [Provider.Mount] registers the OAuth endpoints, the consent page, and the page
// of connected applications. To put middleware in front of some of them,
// register [Provider.Routes] instead. Latchkey builds every URL from Issuer, so
// proxies and prefixes change nothing.
//
// # Applications
//
// Register each application that signs people in:
//
//	app, secret, err := p.CreateApplication(ctx, provider.ApplicationSettings{
//		Name: "Wiki", RedirectURIs: []string{"https://wiki.example.com/callback"}, Scopes: scopes.New("profile", "email")})
//
// Give its developer app.ClientID and secret.Reveal(). Latchkey stores only a
// hash of the secret, so it can't be shown again; [Provider.AddSecret] rotates
// it. An application that can't keep a secret, such as a native or single-page
// app, is Public and uses PKCE. Package clerkapi offers the same over HTTP, as
// Clerk's Backend API does, and package portal as web pages.
//
// # Consent
//
// Config.Scopes lists what applications can ask for; scopes.Default returns the
// four built-in scopes. Users can uncheck scopes that are not Required; the
// token response says what was granted. A confidential application asks again
// only if it wants more than was granted. A public application asks each time,
// because any program on a device can impersonate it (RFC 8252 section 8.6).
// SkipConsent skips the page for the host's own applications. Package pages
// describes the pages and how to customize them.
//
// # Your API
//
// [Provider.Require] is middleware that requires a token with the given scopes,
// and [TokenFromContext] returns the token. [Provider.Verify] does the same for
// tokens that don't arrive over HTTP. [Provider.IssueToken] makes personal access
// tokens. Set Config.Introspection to let other services check tokens.
//
// # Going to production
//
//   - Replace the memory store with store/sqlstore (PostgreSQL, MySQL, MariaDB,
//     SQLite) or store/redisstore.
//   - Start [Provider.Run], which deletes expired records.
//   - Log what [Provider.Check] returns: it lists risky settings.
//   - Set Config.Limit to limit the rate of requests, and Config.Events for
//     metrics or an audit log.
//   - Call [Provider.RevokeGrants] when a user is disabled or changes their
//     password, and [Provider.EraseUser] when a user is deleted.
//
// Package providertest has helpers to test all of this in your app.
//
// # Optional features
//
// Each of these is off until you set its field of [Config]:
//
//   - Registration: applications register themselves (RFC 7591, RFC 7592).
//   - ClientIDDocuments: a client_id is the URL of a document. MCP clients use
//     this or Registration.
//   - Resources: separate tokens for an API, such as an MCP server (RFC 8707,
//     RFC 9728).
//   - DeviceAuthorization: sign-in on TVs and command lines (RFC 8628).
//   - Machines: tokens without a user (client_credentials).
//   - Workspaces: tokens for one organization or team.
//   - OpenID and Keys: OpenID Connect, and private_key_jwt (RFC 7523).
//
// # Standards and stability
//
// The package implements RFC 6749 and 6750 with RFC 7009, 7591, 7592, 7636,
// 7662, 8252, 8414, 8628, 8707, 9207, 9700, and 9728, and OpenID Connect Core.
// It uses the server of github.com/go-oauth2/oauth2/v4 to parse requests and
// dispatch grant types; no type of that module is part of this API.
//
// New fields of Config keep the old behavior when they are zero, and interfaces
// that a host implements don't grow. See docs/concepts/compatibility.md for the promises,
// and docs/ for guides.
package provider
