package portal

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
)

func (v *visit) showList() error {
	q := v.r.URL.Query()
	number, err := strconv.Atoi(q.Get("page"))
	if err != nil || number < 1 || number > 1_000_000 {
		number = 1
	}
	query := store.ApplicationQuery{OwnerID: v.owner, Limit: pageSize, Offset: (number - 1) * pageSize}
	if v.administers {
		query.Name = strings.TrimSpace(q.Get("search"))
	}
	page := view{Title: "Applications", Template: "list", Search: query.Name, Max: v.max}
	if page.Applications, page.Total, err = v.p.ListApplications(v.ctx, query); err != nil {
		return failure(err)
	}
	page.Previous = number - 1
	if number*pageSize < page.Total {
		page.Next = number + 1
	}
	return v.render(http.StatusOK, page)
}

func (v *visit) showNew(status int, f form) error {
	return v.render(status, view{Title: "New application", Template: "new", Form: f, Wrong: f.errors[""]})
}

// errTaken and errFull refuse another application.
var (
	errTaken = errors.New("there is an application with this name already")
	errFull  = errors.New("you have as many applications as you may have: delete one first")
)

func (v *visit) create(provider.Application) error {
	f := v.readForm(v.newForm())
	err := v.mayCreate(f.Name)
	if err == nil && len(f.errors) == 0 {
		var app provider.Application
		var secret provider.Secret
		app, secret, err = v.p.CreateApplication(v.ctx, f.settings(v.owner))
		if err == nil {
			if err = v.keepsMax(app); err == nil {
				return v.showApplication(http.StatusCreated, app, view{Secret: secret.Reveal(), Done: "The application is registered."})
			}
		}
	}
	if err := f.refuse(err); err != nil {
		return err
	}
	return v.showNew(http.StatusUnprocessableEntity, f)
}

// mayCreate refuses a name that the same owner has used before, or anyone for
// an administrator. So reloading the answer of a form makes no second
// application.
func (v *visit) mayCreate(name string) error {
	query := store.ApplicationQuery{OwnerID: v.owner, Limit: max(v.max, 100)}
	if v.administers {
		query.Name = name
	}
	page, total, err := v.p.ListApplications(v.ctx, query)
	switch {
	case err != nil:
		return failure(err)
	case slices.ContainsFunc(page, func(app provider.Application) bool { return app.Name == name }):
		return errTaken
	case v.max > 0 && total >= v.max:
		return errFull
	}
	return nil
}

// keepsMax deletes an application that was just created if there are too many
// now, because several parallel forms each found room for one.
func (v *visit) keepsMax(app provider.Application) error {
	if v.max == 0 {
		return nil
	}
	_, total, err := v.p.ListApplications(v.ctx, store.ApplicationQuery{OwnerID: v.owner, Limit: 1})
	if err == nil && total <= v.max {
		return nil
	}
	if err := errors.Join(err, v.p.DeleteApplication(v.ctx, app.ID)); err != nil {
		return failure(err)
	}
	return errFull
}

func (v *visit) showApplication(status int, app provider.Application, page view) error {
	if page.Form.errors == nil {
		page.Form = v.formOf(app)
	}
	page.Title, page.Template, page.App = app.Name, "application", app
	page.Wrong = append(page.Wrong, page.Form.errors[""]...)
	page.Overlaps, page.Endpoints, page.Failures = overlaps, v.p.Endpoints(), v.p.Failures(app.ID)
	page.Redirects = len(app.RedirectURIs) > 0 && app.Keys.IsZero()
	if v.administers {
		var err error
		after := v.r.URL.Query().Get("after")
		if page.Grants, page.After, err = v.p.ListGrants(v.ctx, provider.GrantFilter{ApplicationID: app.ID}, after, pageSize); err != nil {
			return failure(err)
		}
	}
	return v.render(status, page)
}

// version returns the version of the application that the visitor has seen, or
// zero.
func (v *visit) version() int64 {
	version, err := strconv.ParseInt(v.r.PostForm.Get("version"), 10, 64)
	if err != nil {
		return 0
	}
	return version
}

func (v *visit) save(app provider.Application) error {
	f := v.readForm(v.formOf(app))
	var err error
	if len(f.errors) == 0 {
		_, err = v.p.UpdateApplication(v.ctx, app.ID, func(s *provider.ApplicationSettings) error {
			f.apply(s)
			return nil
		}, v.version())
		if err == nil {
			return v.did(app, "saved")
		}
	}
	status := http.StatusUnprocessableEntity
	if errors.Is(err, store.ErrConflict) {
		status = http.StatusConflict
		f.wrong("", "The application was changed meanwhile, so nothing was saved. The form has what you typed: check what it would change, then save again.")
		err = nil
	}
	if err := f.refuse(err); err != nil {
		return err
	}
	return v.showApplication(status, app, view{Form: f})
}

// did shows the page of an application after an action.
func (v *visit) did(app provider.Application, what string) error {
	return v.goes(url.Values{"application": {app.ID}, "done": {what}}.Encode())
}

// An overlap is how long older secrets work next to a new one.
type overlap struct {
	Value, Label string
	duration     time.Duration
}

var overlaps = []overlap{
	{"day", "for another day, so that nothing is interrupted", day},
	{"week", "for another week", 7 * day},
	{"none", "no longer: someone else may have them", 0},
}

func (v *visit) rotate(app provider.Application) error {
	i := slices.IndexFunc(overlaps, func(o overlap) bool { return o.Value == v.r.PostForm.Get("overlap") })
	live := slices.DeleteFunc(slices.Clone(app.Secrets), func(s provider.SecretInfo) bool {
		return !s.ExpiresAt.IsZero() && s.ExpiresAt.Before(time.Now())
	})
	wrong := ""
	switch {
	case app.Public || !app.Keys.IsZero():
		wrong = "This application has no secret."
	case i < 0:
		wrong = "Choose how long older secrets work."
	case app.Version != v.version(): // For example after a reload: each form makes one secret.
		return failure(store.ErrConflict)
	case overlaps[i].duration > 0 && len(live) > 1:
		wrong = "Two secrets work already. Wait until the older one expires, or end both."
	}
	if wrong != "" {
		return v.showApplication(http.StatusUnprocessableEntity, app, view{Wrong: []string{wrong}})
	}
	secret, err := v.p.AddSecret(v.ctx, app.ID, time.Now().Add(overlaps[i].duration))
	if err != nil {
		return err
	}
	if app, err = v.find(app.ID); err != nil {
		return err
	}
	return v.showApplication(http.StatusOK, app, view{Secret: secret.Reveal(), Done: "There is a new secret."})
}

func (v *visit) review(app provider.Application) error {
	if _, err := v.p.ReviewApplication(v.ctx, app.ID, true, v.version()); err != nil {
		return err
	}
	return v.did(app, "reviewed")
}

func (v *visit) unreview(app provider.Application) error {
	if _, err := v.p.ReviewApplication(v.ctx, app.ID, false); err != nil {
		return err
	}
	return v.did(app, "unreviewed")
}

func (v *visit) disable(app provider.Application) error {
	if _, err := v.p.DisableApplication(v.ctx, app.ID, true); err != nil {
		return err
	}
	return v.did(app, "disabled")
}

func (v *visit) enable(app provider.Application) error {
	if _, err := v.p.DisableApplication(v.ctx, app.ID, false, v.version()); err != nil {
		return err
	}
	return v.did(app, "enabled")
}

func (v *visit) end(app provider.Application) error {
	id, err := store.ParseID(v.r.PostForm.Get("grant"))
	if err != nil {
		return notFound(err)
	}
	if err := v.p.RevokeGrants(v.ctx, provider.GrantFilter{ID: id, ApplicationID: app.ID}); err != nil {
		return err
	}
	return v.did(app, "ended")
}

func (v *visit) endAll(app provider.Application) error {
	if err := v.p.RevokeGrants(v.ctx, provider.GrantFilter{ApplicationID: app.ID}); err != nil {
		return err
	}
	return v.did(app, "all_ended")
}

func (v *visit) delete(app provider.Application) error {
	if err := v.p.DeleteApplication(v.ctx, app.ID); err != nil {
		return err
	}
	return v.goes("done=deleted")
}
