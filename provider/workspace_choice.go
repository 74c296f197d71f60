package provider

import (
	"cmp"
	"errors"
	"net/url"
	"slices"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/store"
)

// A workspaceChoice is what the page about an application lets its user choose:
// for which workspace the application acts. Where it uses none there is no
// choice.
type workspaceChoice struct {
	use    store.WorkspaceUse
	named  string       // by the request: then there is no other choice; empty: none
	chosen rules.Choice // what the user has chosen before
	list   []Workspace  // what the page lets them choose from; load fills it in
}

// there reports whether there is something to choose.
func (q *workspaceChoice) there() bool { return q.use != store.WorkspaceNone }

// open reports whether the user has to choose before anything can be granted.
func (q *workspaceChoice) open() bool { return q.there() && !q.chosen.Made }

// recall fills in what is chosen already: what the request names, or what the
// user has chosen before. The decision is for that.
func (c *call) recall(q *workspaceChoice, d *decision) *Error {
	switch {
	case !q.there():
		return nil
	case q.named != "":
		q.chosen = rules.Choice{Made: true, WorkspaceID: q.named}
	default:
		consent, err := c.records.findConsent(c.context(), store.CutKey{UserID: d.userID, ApplicationID: d.app.ID})
		if err != nil {
			return unavailable("store", err)
		}
		q.chosen = consent.Choice()
		if q.use == store.WorkspaceRequired && q.chosen.WorkspaceID == "" {
			q.chosen = rules.Choice{}
		}
	}
	d.workspaceID = q.chosen.WorkspaceID
	return nil
}

// forget takes back what recall has found: the user may not act for it any more.
func (q *workspaceChoice) forget(d *decision) {
	q.chosen, d.workspaceID, d.consent = rules.Choice{}, "", rules.Consent{}
}

// load asks the host what the signed-in user can choose from. It is refused if
// there is nothing, or not what the request names.
func (q *workspaceChoice) load(v *visit) *Error {
	if !q.there() && q.named == "" {
		return nil
	}
	if q.there() {
		list, err := v.workspacesOf(v.context(), v.session.UserID)
		if err != nil {
			return unavailable("Config.Workspaces", err)
		}
		if q.named != "" {
			list = slices.DeleteFunc(list, func(w Workspace) bool { return w.ID != q.named })
		}
		q.list = list
	}
	if len(q.list) == 0 && (q.named != "" || q.use == store.WorkspaceRequired) {
		return errNoWorkspace(errNotMember)
	}
	return nil
}

// sealed is what the page has said of the choice. The order of the list is of no
// account.
func (q *workspaceChoice) sealed() []string {
	if !q.there() {
		return nil
	}
	list := slices.SortedFunc(slices.Values(q.list), func(a, b Workspace) int { return cmp.Compare(a.ID, b.ID) })
	parts := []string{workspaceParam, string(q.use)}
	for _, w := range list {
		parts = append(parts, w.ID, w.Name)
	}
	return parts
}

// errNoChoice: the user has allowed something without having chosen a workspace.
var errNoChoice = errors.New("the form chooses no workspace")

// take returns what a form has chosen, of what its page has shown. The error
// wraps errNoChoice if that is nothing, and has to be a workspace.
func (q *workspaceChoice) take(form url.Values) (workspaceID string, _ *Error) {
	if !q.there() {
		return "", nil
	}
	id := form.Get(workspaceParam)
	switch {
	case id == "" && (q.use == store.WorkspaceRequired || q.named != ""):
		return "", errStaleForm(errNoChoice)
	case id != "" && !slices.ContainsFunc(q.list, func(w Workspace) bool { return w.ID == id }):
		return "", errStaleForm(errors.New("the form chooses a workspace that its page did not show"))
	}
	return id, nil
}

// onPage is the choice as the page shows it. Chosen is what the user has chosen
// before, if that is still there; the only one, if there has to be one; or else
// none, which a page where it may be left open shows as the user alone.
func (q *workspaceChoice) onPage() *pages.WorkspaceChoice {
	if !q.there() || len(q.list) == 0 {
		return nil
	}
	shown := &pages.WorkspaceChoice{Optional: q.use == store.WorkspaceOptional && q.named == ""}
	for _, w := range q.list {
		item := w.onPage()
		item.Chosen = q.chosen.Made && w.ID == q.chosen.WorkspaceID || len(q.list) == 1 && !shown.Optional
		shown.Workspaces = append(shown.Workspaces, item)
	}
	return shown
}
