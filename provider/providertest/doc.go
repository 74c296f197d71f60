// Package providertest is what the tests of a host use, and the tests of
// applications that sign in with one.
//
// # Your own guarded handlers
//
// A handler behind [provider.Provider.Require] wants a request with an access
// token. [Authenticate] puts one into the request, for any user and scopes:
//
//	r := httptest.NewRequest("GET", "/api/notes", nil)
//	providertest.Authenticate(t, app.provider, r, "user_ada", "notes:read")
//	app.ServeHTTP(w, r)
//
// The token is a real one, kept by the store that your provider has, and the
// guard does its true work. So the other answers are tested like this:
//
//   - 401, nobody: leave Authenticate out.
//   - 403, too little: give other scopes, or none.
//   - 401, cut off: p.RevokeGrants(ctx, provider.GrantFilter{UserID: id}) after
//     Authenticate.
//   - 401, expired: move the clock. Set Config.Now to one that the test moves;
//     or, with a store in memory, put the test into [testing/synctest.Test] and
//     sleep for longer than Config.Lifetimes.Access.
//   - 503, no database: make Config.Store a
//     [github.com/latchkey-go/latchkey/store/storetest.Breakable], and call its
//     Fail after Authenticate.
//
// A caller of your API can't tell a token that was cut off from one that has
// expired, so one of these two tests is enough. Where it matters
// which application calls, use [provider.Provider.IssueToken], which
// Authenticate is made of.
//
// # Your own sign-in
//
// [Authorize] shows that the provider sits well in your app: that it finds your
// session, behind your middleware, at your addresses. The browser is an
// http.Client with a cookie jar that your test has signed in to your app, which
// listens at Config.Issuer:
//
//	tokens := providertest.Authorize(t, app.provider, browser, "profile", "notes:read")
//
// It goes through the consent page and the token endpoint by HTTP.
//
// # The way in front of it
//
// [Diagnose] looks at your whole handler as applications and browsers do, and
// names what is in the way: a CSRF check, a login wall, CORS middleware, a
// cookie that doesn't come back.
//
//	for _, found := range providertest.Diagnose(t, app, "https://app.example.com") {
//		t.Error(found)
//	}
//
// # The agents of your users
//
// [TryAgents] signs in to your app as ChatGPT, Claude, Cursor and others do,
// each by its own document or registration, and names those that your Config
// would refuse, with the field to change. With
// [AgentDocuments] as Config.Transport:
//
//	providertest.TryAgents(t, app.provider, browser)
//
// # An application that signs in with a host
//
// [New] starts a whole host, with two users, for the tests of an application
// or of a library. [Allow] is the person at the browser: it opens the address
// that the application sends people to, agrees, and returns the address at
// the application where they end up, with the code. [Deny] refuses.
//
//	host := providertest.New(t)
//	host.SignIn("user_ada")
//	callback := providertest.Allow(t, host.Client, wiki.SignInURL())
//
// # What holds for all of it
//
// What goes wrong ends the test by Fatalf, with a text that says what to do.
// The applications and servers that a function makes end with the test, and all
// that was issued to them. Tests may run in parallel on one provider, and each
// may have a [Host] of its own: that costs a millisecond. Only a Host's browser
// is one person's, and not to be shared.
package providertest
