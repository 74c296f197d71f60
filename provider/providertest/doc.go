// Package providertest has helpers for the tests of a host, and of applications
// that sign in with one.
//
// # Test your protected handlers
//
// A handler behind [provider.Provider.Require] needs a request with an access
// token. [Authenticate] adds one, for any user and scopes:
//
//	r := httptest.NewRequest("GET", "/api/notes", nil)
//	providertest.Authenticate(t, app.provider, r, "user_ada", "notes:read")
//	app.ServeHTTP(w, r)
//
// The token is real and in your provider's store, so you can test refusals too:
//
//   - 401, no token: leave Authenticate out.
//   - 403, missing scope: give other scopes, or none.
//   - 401, revoked: call p.RevokeGrants(ctx, provider.GrantFilter{UserID: id})
//     after Authenticate.
//   - 401, expired: set Config.Now to a clock that the test moves. Or, with a
//     store in memory, use [testing/synctest.Test] and sleep for longer than
//     Config.Lifetimes.Access.
//   - 503, no database: make Config.Store a
//     [github.com/latchkey-go/latchkey/store/storetest.Breakable], and call its
//     Fail after Authenticate.
//
// A caller can't tell a revoked token from an expired one, so one of these two
// tests is enough. If the handler depends on the application that calls, use
// [provider.Provider.IssueToken], which Authenticate uses too.
//
// # Test your sign-in
//
// [Authorize] tests that the provider works in your app: with your session,
// behind your middleware, at your URLs. The browser is an http.Client with a
// cookie jar, which your test has signed in to your app. The app listens at
// Config.Issuer:
//
//	tokens := providertest.Authorize(t, app.provider, browser, "profile", "notes:read")
//
// # Find middleware that gets in the way
//
// [Diagnose] makes requests to your whole handler as applications and browsers
// do, and reports a CSRF check, a login wall, CORS middleware, or a cookie that
// gets in the way:
//
//	for _, found := range providertest.Diagnose(t, app, "https://app.example.com") {
//		t.Error(found)
//	}
//
// # Test agents
//
// [TryAgents] signs in to your app like ChatGPT, Claude, Cursor, and others,
// each with its document or registration. It reports those that your Config
// would refuse, with the field to change. Set [AgentDocuments] as
// Config.Transport:
//
//	providertest.TryAgents(t, app.provider, browser)
//
// # Test an application against a host
//
// [New] starts a whole host with two users, for the tests of an application or
// a library. [Allow] plays the user in the browser: it opens the URL that the
// application sends people to, agrees, and returns the URL at the application
// where they end up, with the code. [Deny] refuses.
//
//	host := providertest.New(t)
//	host.SignIn("user_ada")
//	callback := providertest.Allow(t, host.Client, wiki.SignInURL())
//
// # Failures and cleanup
//
// A failure ends the test with Fatalf and a message that says what to do.
// Applications and servers that a function makes, and everything issued to
// them, are deleted when the test ends. Tests may run in parallel with one
// provider, and each may have its own [Host], which takes a millisecond to
// start. Don't share a Host's browser between tests, because it is one user's.
package providertest
