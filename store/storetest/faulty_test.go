package storetest

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/storetest/plain"
)

// breaks has, for each promise, the wrong stores that break it: what is wrong
// with each, and how to make a right store wrong.
type breaks map[string]map[string]func(f *faulty)

// A faulty store is a right store with some methods replaced.
type faulty struct {
	right store.Store

	createApplication func(context.Context, store.Application) error
	findApplication   func(context.Context, string) (store.Application, error)
	findClient        func(context.Context, string) (store.Application, error)
	listApplications  func(context.Context, store.ApplicationQuery) ([]store.Application, int, error)
	updateApplication func(context.Context, store.Application) error
	deleteApplication func(context.Context, string) error

	create      func(context.Context, store.Document) error
	find        func(context.Context, store.ID) (store.Document, store.Cuts, error)
	findConsent func(ctx context.Context, user, app, space string) (store.Document, store.Cuts, error)
	replace     func(context.Context, store.Document, int64) error
	end         func(ctx context.Context, id store.ID, at, sweepAt time.Time) error
	cutOff      func(context.Context, store.CutKey, int64) error
	list        func(context.Context, store.Query) ([]store.Document, store.Cursor, error)
	sweep       func(context.Context, time.Time, int) (int, error)

	mu      sync.Mutex // guards what a fault remembers
	created []store.ID
}

// newFaulty returns a new store without a fault.
func newFaulty() *faulty {
	s := plain.New()
	f := &faulty{
		right: s, createApplication: s.CreateApplication, findApplication: s.FindApplication, findClient: s.FindClient,
		listApplications: s.ListApplications, updateApplication: s.UpdateApplication, deleteApplication: s.DeleteApplication,
		find: s.Find, findConsent: s.FindConsent, replace: s.Replace, end: s.End, cutOff: s.CutOff, list: s.List, sweep: s.Sweep,
	}
	f.create = func(ctx context.Context, d store.Document) error {
		f.mu.Lock()
		f.created = append(f.created, d.ID)
		f.mu.Unlock()
		return s.Create(ctx, d)
	}
	return f
}

func (f *faulty) CreateApplication(ctx context.Context, app store.Application) error {
	return f.createApplication(ctx, app)
}

func (f *faulty) FindApplication(ctx context.Context, id string) (store.Application, error) {
	return f.findApplication(ctx, id)
}

func (f *faulty) FindClient(ctx context.Context, clientID string) (store.Application, error) {
	return f.findClient(ctx, clientID)
}

func (f *faulty) ListApplications(ctx context.Context, q store.ApplicationQuery) ([]store.Application, int, error) {
	return f.listApplications(ctx, q)
}

func (f *faulty) UpdateApplication(ctx context.Context, app store.Application) error {
	return f.updateApplication(ctx, app)
}

func (f *faulty) DeleteApplication(ctx context.Context, id string) error {
	return f.deleteApplication(ctx, id)
}

func (f *faulty) Create(ctx context.Context, d store.Document) error { return f.create(ctx, d) }

func (f *faulty) Find(ctx context.Context, id store.ID) (store.Document, store.Cuts, error) {
	return f.find(ctx, id)
}

func (f *faulty) FindConsent(ctx context.Context, user, app, space string) (store.Document, store.Cuts, error) {
	return f.findConsent(ctx, user, app, space)
}

func (f *faulty) Replace(ctx context.Context, d store.Document, mark int64) error {
	return f.replace(ctx, d, mark)
}

func (f *faulty) End(ctx context.Context, id store.ID, at, sweepAt time.Time) error {
	return f.end(ctx, id, at, sweepAt)
}

func (f *faulty) CutOff(ctx context.Context, key store.CutKey, number int64) error {
	return f.cutOff(ctx, key, number)
}

func (f *faulty) List(ctx context.Context, q store.Query) ([]store.Document, store.Cursor, error) {
	return f.list(ctx, q)
}

func (f *faulty) Sweep(ctx context.Context, before time.Time, limit int) (int, error) {
	return f.sweep(ctx, before, limit)
}

// pause lets others run between a read and a write that belong together.
func pause() { time.Sleep(200 * time.Microsecond) }

// The following make a method wrong in a way that many faults need.

// apps edits each application that is returned.
func (f *faulty) apps(edit func(*store.Application)) {
	f.findApplication = func(ctx context.Context, id string) (store.Application, error) {
		app, err := f.right.FindApplication(ctx, id)
		edit(&app)
		return app, err
	}
	f.findClient = func(ctx context.Context, clientID string) (store.Application, error) {
		app, err := f.right.FindClient(ctx, clientID)
		edit(&app)
		return app, err
	}
	f.listApplications = func(ctx context.Context, q store.ApplicationQuery) ([]store.Application, int, error) {
		page, total, err := f.right.ListApplications(ctx, q)
		for i := range page {
			edit(&page[i])
		}
		return page, total, err
	}
}

// givenApps edits each application that is passed in.
func (f *faulty) givenApps(edit func(*store.Application)) {
	f.createApplication = func(ctx context.Context, app store.Application) error {
		app = app.Clone()
		edit(&app)
		return f.right.CreateApplication(ctx, app)
	}
	f.updateApplication = func(ctx context.Context, app store.Application) error {
		app = app.Clone()
		edit(&app)
		return f.right.UpdateApplication(ctx, app)
	}
}

// appQuery edits each query of applications.
func (f *faulty) appQuery(edit func(*store.ApplicationQuery)) {
	f.listApplications = func(ctx context.Context, q store.ApplicationQuery) ([]store.Application, int, error) {
		edit(&q)
		return f.right.ListApplications(ctx, q)
	}
}

// search replaces the matching of names.
func (f *faulty) search(matches func(app store.Application, name string) bool) {
	f.listApplications = func(ctx context.Context, q store.ApplicationQuery) ([]store.Application, int, error) {
		name := q.Name
		q.Name, q.Limit = "", 1000
		page, _, err := f.right.ListApplications(ctx, q)
		page = slices.DeleteFunc(page, func(app store.Application) bool { return name != "" && !matches(app, name) })
		return page, len(page), err
	}
}

// docs edits each document that is returned.
func (f *faulty) docs(edit func(*store.Document)) {
	f.find = func(ctx context.Context, id store.ID) (store.Document, store.Cuts, error) {
		d, numbers, err := f.right.Find(ctx, id)
		edit(&d)
		return d, numbers, err
	}
	f.findConsent = func(ctx context.Context, user, app, space string) (store.Document, store.Cuts, error) {
		d, numbers, err := f.right.FindConsent(ctx, user, app, space)
		if !d.ID.IsZero() {
			edit(&d)
		}
		return d, numbers, err
	}
	f.list = func(ctx context.Context, q store.Query) ([]store.Document, store.Cursor, error) {
		page, next, err := f.right.List(ctx, q)
		for i := range page {
			edit(&page[i])
		}
		return page, next, err
	}
}

// given edits each document that is passed in.
func (f *faulty) given(edit func(*store.Document)) {
	f.create = func(ctx context.Context, d store.Document) error {
		edit(&d)
		return f.right.Create(ctx, d)
	}
	f.replace = func(ctx context.Context, d store.Document, mark int64) error {
		edit(&d)
		return f.right.Replace(ctx, d, mark)
	}
}

// force replaces a document with any mark.
func (f *faulty) force(ctx context.Context, d store.Document) error {
	kept, _, err := f.right.Find(ctx, d.ID)
	if err != nil {
		return store.ErrConflict
	}
	return f.right.Replace(ctx, d, kept.Mark)
}

// numbers edits the numbers that are returned, with or without a document.
func (f *faulty) numbers(edit func(d store.Document, numbers *store.Cuts)) {
	f.find = func(ctx context.Context, id store.ID) (store.Document, store.Cuts, error) {
		d, numbers, err := f.right.Find(ctx, id)
		edit(d, &numbers)
		return d, numbers, err
	}
	f.findConsent = func(ctx context.Context, user, app, space string) (store.Document, store.Cuts, error) {
		d, numbers, err := f.right.FindConsent(ctx, user, app, space)
		edit(d, &numbers)
		return d, numbers, err
	}
}

// ownCuts stores the numbers of cut-offs in another way: by a text made from
// their key, and growing as the function says. They are never swept, and lists
// don't see them.
func (f *faulty) ownCuts(text func(store.CutKey) string, grow func(old, number int64) int64) map[string]int64 {
	kept := map[string]int64{}
	numbers := func(key store.CutKey) (c store.Cuts) {
		f.mu.Lock()
		defer f.mu.Unlock()
		for i, covering := range key.Covering() {
			c[i] = kept[text(covering)]
		}
		return c
	}
	f.cutOff = func(_ context.Context, key store.CutKey, number int64) error {
		f.mu.Lock()
		old := kept[text(key)]
		f.mu.Unlock()
		grown := grow(old, number)
		f.mu.Lock()
		defer f.mu.Unlock()
		kept[text(key)] = grown
		return nil
	}
	f.find = func(ctx context.Context, id store.ID) (store.Document, store.Cuts, error) {
		d, _, err := f.right.Find(ctx, id)
		return d, numbers(d.Key()), err
	}
	f.findConsent = func(ctx context.Context, user, app, space string) (store.Document, store.Cuts, error) {
		d, _, err := f.right.FindConsent(ctx, user, app, space)
		return d, numbers(keyOf([3]string{user, app, space})), err
	}
	return kept
}

// exactly and rightly are what a right store does with keys and numbers.
func exactly(key store.CutKey) string {
	return key.UserID + "\x00" + key.ApplicationID + "\x00" + key.WorkspaceID
}
func rightly(old, number int64) (grown int64) { return max(number, old+1) }

// all returns all documents, with their numbers.
func (f *faulty) all(ctx context.Context) (documents []store.Document, numbers []store.Cuts) {
	f.mu.Lock()
	created := slices.Clone(f.created)
	f.mu.Unlock()
	slices.SortFunc(created, func(a, b store.ID) int { return slices.Compare(a[:], b[:]) })
	for _, id := range slices.Compact(created) {
		if d, c, err := f.right.Find(ctx, id); err == nil {
			documents, numbers = append(documents, d), append(numbers, c)
		}
	}
	return documents, numbers
}

// A listing is a wrong way to make lists. The zero value makes right ones.
type listing struct {
	matches func(q store.Query, d store.Document) bool
	compare func(a, b store.Document) int
	lives   func(d store.Document, numbers store.Cuts) bool
	begins  func(after store.Cursor, d store.Document) bool
}

// lists makes lists in a wrong way.
func (f *faulty) lists(l listing) {
	f.list = func(ctx context.Context, q store.Query) (page []store.Document, next store.Cursor, err error) {
		if err := cmp.Or(q.Check(), ctx.Err()); err != nil {
			return nil, next, err
		}
		documents, numbers := f.all(ctx)
		byID := map[store.ID]store.Cuts{}
		for i, d := range documents {
			byID[d.ID] = numbers[i]
			matches, begins := q.Matches(&d), q.After.Before(&d)
			if l.matches != nil {
				matches = l.matches(q, d)
			}
			if l.begins != nil {
				begins = q.After.IsZero() || l.begins(q.After, d)
			}
			if matches && begins {
				page = append(page, d)
			}
		}
		slices.SortFunc(page, store.Newer)
		if l.compare != nil {
			slices.SortFunc(page, l.compare)
		}
		if len(page) > q.Limit {
			page = page[:q.Limit]
			next = store.Cursor{CreatedAt: page[q.Limit-1].CreatedAt, ID: page[q.Limit-1].ID}
		}
		page = slices.DeleteFunc(page, func(d store.Document) bool {
			now := byID[d.ID]
			if l.lives != nil {
				return !l.lives(d, now)
			}
			return !d.EndedAt.IsZero() || now.Exceed(&d.Seen)
		})
		return page, next, nil
	}
}

// remove removes a document that has not ended.
func (f *faulty) remove(ctx context.Context, d store.Document) {
	longAgo := time.Unix(0, 0)
	d.SweepAt = longAgo
	f.force(ctx, d)
	f.right.Sweep(ctx, longAgo, 1000)
}
