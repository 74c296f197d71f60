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

// A workspaceChoice is the choice on an application's page of the workspace
// that the application acts for. If the application uses no workspaces, there
// is no choice.
type workspaceChoice struct {
	use    store.WorkspaceUse
	named  string       // in the request, which leaves no other choice; may be empty
	chosen rules.Choice // the user's earlier choice
	list   []Workspace  // what the page offers; load fills it in
}

// there reports whether there is something to choose.
func (q *workspaceChoice) there() bool { return q.use != store.WorkspaceNone }

// open reports whether the user must choose before anything can be granted.
func (q *workspaceChoice) open() bool { return q.there() && !q.chosen.Made }

// recall fills in what is chosen already, in the request or by the user before,
// and sets it in the decision.
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

// forget undoes recall, because the user may no longer act for the workspace.
func (q *workspaceChoice) forget(d *decision) {
	q.chosen, d.workspaceID, d.consent = rules.Choice{}, "", rules.Consent{}
}

// load asks the host what the signed-in user can choose from. It refuses if
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

// sealed returns what the page has said about the choice. The order of the list
// doesn't matter.
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

// errNoChoice means that the user pressed Allow without choosing a workspace.
var errNoChoice = errors.New("the form chooses no workspace")

// take returns the choice in a form, out of those that its page showed. The
// error wraps errNoChoice if nothing is chosen although a workspace is
// required.
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

// onPage returns the choice for the page. Chosen is the user's earlier choice
// if it still exists, or the only workspace if one is required. Otherwise
// nothing is chosen; a page where the choice is optional shows that as the user
// alone.
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
