package portal

import (
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
)

// view is the data of the templates. Fields that a page doesn't use are zero.
type view struct {
	Title, Template string

	Admin  bool   // the visitor is an administrator
	Tokens bool   // personal access tokens are on
	Done   string // what was just done

	// Wrong has the errors of a form as a whole.
	Wrong []string

	// For the page of a refusal.
	Message, Reference string

	// For the list.
	Applications     []provider.Application
	Total            int
	Search           string
	Previous, Next   int // page numbers; 0 if there is none
	Max              int
	SecretOf, Secret string // a new secret, shown only now

	// For the page of one application.
	App       provider.Application
	Form      form
	Overlaps  []overlap
	Grants    []provider.Grant
	After     string // the next page of Grants
	Failures  []provider.Failure
	Endpoints provider.Endpoints
	Redirects bool // it can be tried

	// For the page to try an application.
	Links           []link
	Verifier, Token string // Token is the command that gets one
	API             string // the command that uses one
	Answer          string

	// For personal access tokens.
	Granted   []token
	TokenForm tokenForm
	Lifetimes []lifetime
}

// done has the notice after an action, by the name in the address.
var done = map[string]string{
	"saved":      "The settings are saved.",
	"deleted":    "The application is deleted. Nothing that was issued to it works anymore.",
	"reviewed":   "The application is reviewed. Its users are no longer warned.",
	"unreviewed": "The review is withdrawn. Users are warned again.",
	"disabled":   "The application is disabled. All its users are signed out of it.",
	"enabled":    "The application is enabled. Its users must sign in again.",
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
