// Package provider turns a Go web app into an OAuth 2.0 provider: other apps
// get a "Sign in with" button for it and scoped access to its API. The host
// keeps its users, its sign-in page, its database and its router.
//
// What follows builds one host up, from nothing to production.
//
// # The first sign-in
//
// A host says five things: its own URL, where to keep records, who is signed
// in, where to sign in, and how to find a user.
//
//	p, err := provider.New(provider.Config{
//		Issuer:      "https://app.example.com",
//		Store:       memory.New(),
//		CurrentUser: func(r *http.Request) (provider.Session, error) { return provider.Session{UserID: sessionUser(r)}, nil },
//		SignIn:      provider.RedirectTo("/login", "next"),
//		Users:       findUser, // func(ctx, id) (userinfo.User, error)
//	})
//	p.Mount(mux)
//
// That serves the authorization endpoint with its consent page, the token,
// userinfo, revocation, introspection and metadata endpoints, and the page of
// connected applications. [Provider.Routes] lists them, with those that read the
// host's session apart, for hosts with middleware of their own. Every URL that
// is handed out is built from Issuer, so a proxy or a prefix changes nothing.
//
// An application that wants to sign people in is registered, once:
//
//	app, secret, err := p.CreateApplication(ctx, provider.ApplicationSettings{
//		Name: "Wiki", RedirectURIs: []string{"https://wiki.example.com/callback"}, Scopes: scopes.New("profile", "email")})
//
// Its developer gets app.ClientID and secret.Reveal(), which is kept as a hash
// and never shown again, and can sign users in with any OAuth 2.0 client. An
// application that cannot keep a secret, such as a native or single-page one, is
// created as Public and uses PKCE instead. Package clerkapi does the same
// over HTTP, in the shape of Clerk's Backend API.
//
// # What users are asked
//
// The consent page, the error page and the page of connected applications are
// in the box. They have no scripts and load nothing but logos. Config.Pages gives
// them the host's name, logo, color, and texts, and replaces them where a host has
// its own: see package pages.
//
// Config.Scopes is what applications may ask for. Four are built in, for the
// userinfo document; a host adds its own beside them:
//
//	Scopes: append(scopes.Default(), scopes.Scope{Name: "notes:read", Title: "Read your notes"}),
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
// # Guarding the host's own API
//
// The same tokens open the host's own API. [Provider.Require] lets a request
// through only with a token of the right scopes:
//
//	mux.Handle("GET /api/notes", p.Require("notes:read")(notes))
//
// Inside, [TokenFromContext] says whose token it is. [Provider.Verify] does the
// same where a token comes by another way than HTTP, and [Provider.IssueToken]
// makes personal access tokens. Config.Introspection lets other services of the
// host's ask about tokens.
//
// # A database
//
// Package memory forgets at restart. The stores of the modules store/sqlstore
// (PostgreSQL, MySQL, MariaDB, SQLite) and store/redisstore take its place in
// Config.Store; nothing else changes. They keep hashes of codes, tokens and
// secrets, and no step of theirs leaves anything half done. A store that fails or
// never answers gives 503, and a client that was left without an answer asks
// again: a refresh that is repeated within Config.Lifetimes.Grace gets the current
// tokens.
//
// # Tests
//
// Package providertest has requests with real tokens for a host's own tests, a
// whole sign-in, and a ready host for an application's.
//
// # Production
//
// [Provider.Check] says what is unwise there. [Provider.Cleanup] deletes what has
// expired; call it every few minutes, on every instance if you like.
// Config.Events is told of everything that happens, Config.Limit bounds how often
// anybody may ask, and each refused request has one line in Config.Logger, with
// no token, secret or address in it.
//
// [Provider.RevokeGrants] ends sign-ins: of a user who was disabled, of an
// application that was caught, of a device that was lost. [Provider.AddSecret]
// rotates a secret while the old one goes on working.
//
// # Agents, command lines and devices
//
// Each of these is off until its field of the Config is set.
//
// With Config.Registration, applications register themselves (RFC 7591), as MCP
// clients do, and manage that by a token of their own (RFC 7592). With
// Config.ClientIDDocuments, their client_id is the URL of a document that says
// who they are. Nobody vouches for either: they use PKCE, the consent page is
// always shown and warns of them, and those that are no longer used are deleted.
// Anybody can make the store grow by registering, so give Config.Limit, or let
// Registration.Allow ask for an initial access token.
//
// An API that should have tokens of its own, such as an MCP server, is one of
// Config.Resources: [Provider.Resource] guards it, and serves the metadata by
// which its clients find their way here (RFC 8707, RFC 9728). A token for it
// opens nothing else, and no other token opens it.
//
// With Config.DeviceAuthorization, a device without a browser can sign its user
// in too (RFC 8628). It shows a code and the address of a page, such as
// https://app.example.com/oauth/device; there the user, on a telephone, enters
// the code, sees who asks, and decides. Meanwhile the device asks the token
// endpoint every few seconds. What comes of it is a grant like any other.
//
// # What it is built on, and what stays
//
// The server of github.com/go-oauth2/oauth2/v4 reads requests and tells grants
// apart. Its default manager and stores are replaced, and no type of it is part
// of this package's API. The standards are RFC 6749 and 6750 with RFC 7009,
// 7591, 7592, 7636, 7662, 8252, 8414, 8628, 8707, 9207, 9700 and 9728. OpenID
// Connect is not offered.
//
// Config grows by fields whose zero value means what was before, and interfaces
// that a host implements do not grow; docs/compatibility.md has the promises.
// docs/ has a guide for each of these sections.
package provider
