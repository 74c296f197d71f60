package storetest

import (
	"context"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// Intercept returns a store that calls around for each step. step is the name
// of the method, such as "Find", and do runs it on s. The step returns the error
// of around; if it isn't nil, the other results are zero. So around can
//
//   - fail before the step: return an error without calling do
//   - lose the answer: call do, and return an error afterwards
//   - wait, count, or run something else before or after do
//   - do nothing: return do()
//
// around may run in many goroutines at once, and may itself use s.
func Intercept(s store.Store, around func(ctx context.Context, step string, do func() error) error) store.Store {
	return &intercepted{s, around}
}

type intercepted struct {
	store  store.Store
	around func(ctx context.Context, step string, do func() error) error
}

// step1 does a step that returns one value and an error.
func step1[A any](ctx context.Context, i *intercepted, step string, do func() (A, error)) (A, error) {
	a, _, err := step2(ctx, i, step, func() (A, struct{}, error) { a, err := do(); return a, struct{}{}, err })
	return a, err
}

// step2 does a step that returns two values and an error.
func step2[A, B any](ctx context.Context, i *intercepted, step string, do func() (A, B, error)) (a A, b B, err error) {
	err = i.around(ctx, step, func() (err error) { a, b, err = do(); return err })
	if err != nil {
		var noA A
		var noB B
		return noA, noB, err
	}
	return a, b, nil
}

// Forgets implements [store.Volatile].
func (i *intercepted) Forgets() bool {
	volatile, ok := i.store.(store.Volatile)
	return ok && volatile.Forgets()
}

func (i *intercepted) CreateApplication(ctx context.Context, app store.Application) error {
	return i.around(ctx, "CreateApplication", func() error { return i.store.CreateApplication(ctx, app) })
}

func (i *intercepted) FindApplication(ctx context.Context, id string) (store.Application, error) {
	return step1(ctx, i, "FindApplication", func() (store.Application, error) { return i.store.FindApplication(ctx, id) })
}

func (i *intercepted) FindClient(ctx context.Context, clientID string) (store.Application, error) {
	return step1(ctx, i, "FindClient", func() (store.Application, error) { return i.store.FindClient(ctx, clientID) })
}

func (i *intercepted) ListApplications(ctx context.Context, q store.ApplicationQuery) ([]store.Application, int, error) {
	return step2(ctx, i, "ListApplications", func() ([]store.Application, int, error) { return i.store.ListApplications(ctx, q) })
}

func (i *intercepted) UpdateApplication(ctx context.Context, app store.Application) error {
	return i.around(ctx, "UpdateApplication", func() error { return i.store.UpdateApplication(ctx, app) })
}

func (i *intercepted) DeleteApplication(ctx context.Context, id string) error {
	return i.around(ctx, "DeleteApplication", func() error { return i.store.DeleteApplication(ctx, id) })
}

func (i *intercepted) Create(ctx context.Context, d store.Document) error {
	return i.around(ctx, "Create", func() error { return i.store.Create(ctx, d) })
}

func (i *intercepted) Find(ctx context.Context, id store.ID) (store.Document, store.Cuts, error) {
	return step2(ctx, i, "Find", func() (store.Document, store.Cuts, error) { return i.store.Find(ctx, id) })
}

func (i *intercepted) FindConsent(ctx context.Context, userID, applicationID, workspaceID string) (store.Document, store.Cuts, error) {
	return step2(ctx, i, "FindConsent", func() (store.Document, store.Cuts, error) {
		return i.store.FindConsent(ctx, userID, applicationID, workspaceID)
	})
}

func (i *intercepted) Replace(ctx context.Context, d store.Document, mark int64) error {
	return i.around(ctx, "Replace", func() error { return i.store.Replace(ctx, d, mark) })
}

func (i *intercepted) End(ctx context.Context, id store.ID, at, sweepAt time.Time) error {
	return i.around(ctx, "End", func() error { return i.store.End(ctx, id, at, sweepAt) })
}

func (i *intercepted) CutOff(ctx context.Context, key store.CutKey, number int64) error {
	return i.around(ctx, "CutOff", func() error { return i.store.CutOff(ctx, key, number) })
}

func (i *intercepted) List(ctx context.Context, q store.Query) ([]store.Document, store.Cursor, error) {
	return step2(ctx, i, "List", func() ([]store.Document, store.Cursor, error) { return i.store.List(ctx, q) })
}

func (i *intercepted) Sweep(ctx context.Context, before time.Time, limit int) (int, error) {
	return step1(ctx, i, "Sweep", func() (int, error) { return i.store.Sweep(ctx, before, limit) })
}
