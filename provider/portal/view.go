package portal

import (
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
)

// view is what the templates show. What a page does not have is zero.
type view struct {
	Title, Template string

	Admin  bool   // for an administrator
	Tokens bool   // there are personal access tokens
	Done   string // what was just done

	// Wrong is what is wrong with a form as a whole.
	Wrong []string

	// Of the page of a refusal.
	Message, Reference string

	// Of the list.
	Applications     []provider.Application
	Total            int
	Search           string
	Previous, Next   int // pages; 0: none
	Max              int
	SecretOf, Secret string // a secret that was just made, shown this once

	// Of the page of one application.
	App       provider.Application
	Form      form
	Overlaps  []overlap
	Grants    []provider.Grant
	After     string // the next page of them
	Failures  []provider.Failure
	Endpoints provider.Endpoints
	Redirects bool // it can be tried

	// Of the page to try it on.
	Links           []link
	Verifier, Token string // Token: the command that gets one
	API             string // the command that uses one
	Answer          string

	// Of personal access tokens.
	Granted   []token
	TokenForm tokenForm
	Lifetimes []lifetime
}

// done says what was done, by the name in the address.
var done = map[string]string{
	"saved":      "The settings are saved.",
	"deleted":    "The application is deleted. Nothing that was issued to it works any more.",
	"reviewed":   "The application is reviewed. Its users are no longer warned.",
	"unreviewed": "The review is taken back. Users are warned again.",
	"disabled":   "The application is disabled. Everybody is signed out of it.",
	"enabled":    "The application is enabled. Its users sign in again.",
	"ended":      "The sign-in has ended.",
	"all_ended":  "All sign-ins to the application have ended.",
	"revoked":    "The token is revoked.",
}

// choice is a scope in a form.
type choice struct {
	Name    string
	Checked bool
}

func choices(offered, chosen scopes.Set) []choice {
	var all []choice
	for _, name := range offered {
		all = append(all, choice{name, chosen.Has(name)})
	}
	return all
}
