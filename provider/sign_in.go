package provider

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Session describes who is signed in to the host.
type Session struct {
	// UserID is the ID that Config.Users finds the user by. It is empty if no
	// one is signed in.
	UserID string

	// SignedInAt is when the user last proved who they are; the clock may be up
	// to a minute behind. If it is zero or time.Unix(0, 0), Latchkey can't
	// verify that a user signed in again: for prompt=login it sends the user to
	// SignIn once, and it refuses a request with max_age (with Config.OpenID).
	SignedInAt time.Time

	// ACR, AMR, and ID are sent to applications in ID tokens only. ACR and AMR
	// say how the user signed in, such as "urn:example:mfa", and "pwd" and "otp"
	// (RFC 8176). ID identifies the session, and is the sid of ID tokens; it
	// must not be the value of the session cookie.
	ACR string
	AMR []string
	ID  string
}

// SignInRequest tells the host's sign-in page what to do.
type SignInRequest struct {
	// ReturnTo is where to send the browser afterwards, with status 303. It is a
	// path and query on this origin. It contains the whole authorization request
	// and can be several kilobytes long.
	ReturnTo string

	// LoginHint is what the application says about the user, such as an email
	// address, to fill in on the form. It is untrusted.
	LoginHint string

	// Force asks for a sign-in even if the visitor is signed in (prompt=login).
	Force bool

	// ACRValues lists the authentication context class references that the
	// application requests, in order of preference (OpenID Connect Core section
	// 3.1.2.1).
	ACRValues []string

	// SwitchAccount asks the page to let the visitor choose another account.
	SwitchAccount bool
}

// RedirectTo returns a Config.SignIn that redirects to the host's sign-in page
// at path, with SignInRequest.ReturnTo in the query parameter param. It adds
// login_hint, acr_values, and prompt ("login" or "select_account") if they are
// set.
//
// A page that always shows its form honors every prompt. If the page ignores
// prompt and sends a signed-in visitor straight back, Latchkey answers
// login_required when an application demands a fresh sign-in, and users can't
// switch accounts.
//
// The page must:
//
//   - check the parameter with [LocalPath] before it redirects there.
//   - answer its own form with 303 (See Other). With 307 and 308 the browser
//     would post the password again, to ReturnTo.
//   - if it has a Content-Security-Policy, allow https: in form-action, and the
//     schemes of native applications. Browsers apply form-action to all
//     redirects that follow the form, and those can lead to an application.
//
// RedirectTo panics if path is not a path on this origin, with or without a
// query, or if param is empty.
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
		case s.Force: // A user who types a password can type another name too.
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
// query, and otherwise the second argument. Use it in a sign-in page on a value
// from the query or form before you redirect there. Without the check, anyone
// could make a link to your sign-in page that leads to a phishing site (an open
// redirect):
//
//	http.Redirect(w, r, provider.LocalPath(r.PostFormValue("next"), "/"), http.StatusSeeOther)
//
// Every SignInRequest.ReturnTo passes. URLs don't pass, nor does anything that
// a browser reads as another origin: "//host", "/\host", or a tab or line break
// that it skips. A path with an empty segment, a backslash, or a control
// character doesn't pass even if it is percent-encoded, because routers and
// proxies decode it and redirect.
func LocalPath(path, otherwise string) string {
	if isLocalPath(path) {
		return path
	}
	return otherwise
}

// isLocalPath also refuses "//" after the start of the path: after "/." and
// "/a/.." it is at the start once a browser has resolved the dots.
func isLocalPath(path string) bool {
	control := func(c rune) bool { return c < ' ' || c == 0x7f || c == '\\' }
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsFunc(path, control) || strings.Contains(path, " ") {
		return false
	}
	u, err := url.Parse(path)
	return err == nil && !strings.Contains(u.Path, "//") && !strings.ContainsFunc(u.Path, control)
}
