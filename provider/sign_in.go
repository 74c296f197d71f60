package provider

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Session is who is signed in to the host.
type Session struct {
	// UserID is the id that Config.Users finds the user by. Empty: nobody is
	// signed in.
	UserID string

	// SignedInAt is when the user last proved who they are. The clock that it
	// comes from may be up to a minute late. Zero, or time.Unix(0, 0): not known;
	// then an application's wish for a fresh sign-in (prompt=login) is met by sending
	// the user to SignIn once, without proof that they did, and one that says how
	// old the sign-in may be (max_age, with Config.OpenID) is refused.
	SignedInAt time.Time

	// What follows is told to applications by ID tokens only. ACR and AMR say how
	// the user signed in, such as "urn:example:mfa", and "pwd" and "otp" (RFC
	// 8176). ID names the session, and is the sid of ID tokens; it must not be
	// what is in the cookie.
	ACR string
	AMR []string
	ID  string
}

// SignInRequest is what the host's sign-in page is asked to do.
type SignInRequest struct {
	// ReturnTo is where to send the browser afterwards, with status 303: a path
	// and query on this origin, with the whole authorization request in it, which can be
	// some kilobytes long.
	ReturnTo string

	// LoginHint is what the application says of the user, such as an email
	// address, to be filled in on the form. It is not to be believed.
	LoginHint string

	// Force asks for a sign-in even if somebody is signed in (prompt=login).
	Force bool

	// ACRValues are the authentication context class references that the
	// application wishes, the best first (OpenID Connect Core section 3.1.2.1).
	ACRValues []string

	// SwitchAccount asks to let the visitor choose another account.
	SwitchAccount bool
}

// RedirectTo returns a Config.SignIn that redirects to the host's sign-in page
// at path, with SignInRequest.ReturnTo in the query parameter param. What else
// the page should know goes along: login_hint, acr_values, and prompt as "login" or
// "select_account". A page that always shows its form honours both. One that
// ignores them and sends a signed-in visitor straight back makes the provider
// answer login_required where an application demands a fresh sign-in, and lets
// nobody switch accounts.
//
// The page should answer its own form with 303 (See Other), as this redirect
// does: 307 and 308 make the browser post the password once more, to ReturnTo.
//
// If the sign-in page has a Content-Security-Policy, its form-action must allow
// https: (and where native applications are used, their schemes): browsers
// apply it to the redirects that follow the form, and those can lead through
// the authorization endpoint to an application.
//
// It panics if path is not a path on this origin, with or without a query, or
// if param is empty. The page itself should follow the parameter only as far as
// [LocalPath] lets it.
func RedirectTo(path, param string) func(http.ResponseWriter, *http.Request, SignInRequest) {
	if !isLocalPath(path) || strings.Contains(path, "#") {
		panic(fmt.Sprintf(`provider: RedirectTo: the path %q is not a path on this origin: write it like "/login"`, path))
	}
	if param == "" {
		panic(`provider: RedirectTo: the name of the query parameter is empty: write it like "next"`)
	}
	return func(w http.ResponseWriter, r *http.Request, s SignInRequest) {
		q := url.Values{param: {s.ReturnTo}}
		if s.LoginHint != "" {
			q.Set("login_hint", s.LoginHint)
		}
		if len(s.ACRValues) > 0 {
			q.Set("acr_values", strings.Join(s.ACRValues, " "))
		}
		switch {
		case s.Force: // Whoever has to type a password can type another name too.
			q.Set("prompt", "login")
		case s.SwitchAccount:
			q.Set("prompt", "select_account")
		}
		separator := "?"
		if strings.Contains(path, "?") {
			separator = "&"
		}
		http.Redirect(w, r, path+separator+q.Encode(), http.StatusSeeOther)
	}
}

// LocalPath returns path if it is a path on this origin, with or without a
// query, and otherwise the second argument. A sign-in page uses it on what comes
// in its query or form before it redirects there, because anybody can write a
// link to the page, and a link that leads to another site from there helps a
// thief of passwords:
//
//	http.Redirect(w, r, provider.LocalPath(r.PostFormValue("next"), "/"), http.StatusSeeOther)
//
// Everything that SignInRequest.ReturnTo can be is such a path. What a browser
// reads as another origin is not: "//host", "/\host", a tab or line break that
// it skips, a URL. A path with an empty segment, a backslash, or a control
// character is refused even where it is percent-encoded, because routers and
// proxies decode it and redirect.
func LocalPath(path, otherwise string) string {
	if isLocalPath(path) {
		return path
	}
	return otherwise
}

// isLocalPath also refuses "//" behind the start: after "/." and "/a/.." it is
// at the start once a browser has resolved the dots.
func isLocalPath(path string) bool {
	control := func(c rune) bool { return c < ' ' || c == 0x7f || c == '\\' }
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsFunc(path, control) || strings.Contains(path, " ") {
		return false
	}
	u, err := url.Parse(path)
	return err == nil && !strings.Contains(u.Path, "//") && !strings.ContainsFunc(u.Path, control)
}
