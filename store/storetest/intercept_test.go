package storetest_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/storetest"
	"github.com/latchkey-go/latchkey/store/storetest/plain"
)

// A store keeps every promise if the interceptor changes nothing.
func TestInterceptedStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store {
		return storetest.Intercept(plain.New(), func(_ context.Context, _ string, do func() error) error { return do() })
	})
}

// each calls each method, and returns the errors and the other results by the
// method's name.
func each(s store.Store) (errs map[string]error, results map[string][]any) {
	errs, results = map[string]error{}, map[string][]any{}
	d := store.Document{ID: store.NewID(time.Now(), ""), Kind: store.KindGrant, CreatedAt: time.Now(), Mark: 1}
	arguments := map[string][]any{
		"CreateApplication": {store.Application{ID: "a", ClientID: "c"}}, "FindApplication": {"a"}, "FindClient": {"c"},
		"ListApplications": {store.ApplicationQuery{}}, "UpdateApplication": {store.Application{ID: "a", Version: 1}}, "DeleteApplication": {"a"},
		"Create": {d}, "Find": {d.ID}, "FindConsent": {"u", "a", "w"}, "Replace": {d, int64(1)}, "End": {d.ID, time.Now(), time.Now()},
		"CutOff": {store.CutKey{}, int64(1)}, "List": {store.Query{UserID: "u", Limit: 1}}, "Sweep": {time.Unix(0, 0), 10},
	}
	// in the order of their names, but with those that create first
	names := slices.Sorted(maps.Keys(arguments))
	for _, name := range append([]string{"CreateApplication", "Create"}, names...) {
		if _, done := errs[name]; done {
			continue
		}
		in := []reflect.Value{reflect.ValueOf(context.Background())}
		for _, argument := range arguments[name] {
			in = append(in, reflect.ValueOf(argument))
		}
		out := reflect.ValueOf(s).MethodByName(name).Call(in)
		errs[name], _ = out[len(out)-1].Interface().(error)
		for _, result := range out[:len(out)-1] {
			results[name] = append(results[name], result.Interface())
		}
	}
	return errs, results
}

func TestInterceptNamesEachMethod(t *testing.T) {
	var steps []string
	errs, _ := each(storetest.Intercept(plain.New(), func(_ context.Context, step string, do func() error) error {
		steps = append(steps, step)
		return do()
	}))
	contract := reflect.TypeFor[store.Store]()
	require.Len(t, errs, contract.NumMethod())
	for i := range contract.NumMethod() {
		require.Contains(t, steps, contract.Method(i).Name)
	}
	require.Len(t, steps, contract.NumMethod())
}

func TestInterceptFailsBefore(t *testing.T) {
	down := errors.New("the store is down")
	s := plain.New()
	errs, _ := each(storetest.Intercept(s, func(context.Context, string, func() error) error { return down }))
	for step, err := range errs {
		require.ErrorIs(t, err, down, step)
	}
	_, err := s.FindApplication(t.Context(), "a")
	require.ErrorIs(t, err, store.ErrNotFound, "the application was created")
}

// If an answer is lost, the step is done, but its results are as zero as those
// of a step that was not.
func TestInterceptLosesAnswers(t *testing.T) {
	lost := errors.New("the answer is lost")
	s := plain.New()
	errs, results := each(storetest.Intercept(s, func(_ context.Context, _ string, do func() error) error {
		return errors.Join(do(), lost)
	}))
	for step, err := range errs {
		require.ErrorIs(t, err, lost, step)
		for _, result := range results[step] {
			require.Zero(t, result, step)
		}
	}
	_, numbers, err := s.FindConsent(t.Context(), "", "", "")
	require.NoError(t, err)
	require.NotZero(t, numbers[0], "nothing was cut off")
}

func TestInterceptForgetsLikeItsStore(t *testing.T) {
	around := func(_ context.Context, _ string, do func() error) error { return do() }
	require.True(t, storetest.Intercept(plain.New(), around).(store.Volatile).Forgets())
	require.False(t, storetest.Intercept(struct{ store.Store }{plain.New()}, around).(store.Volatile).Forgets())
}

// A store whose first write of a document fails.
func ExampleIntercept() {
	failed := false
	s := storetest.Intercept(plain.New(), func(_ context.Context, step string, do func() error) error {
		if step == "Create" && !failed {
			failed = true
			return errors.New("the disk is full")
		}
		return do()
	})

	d := store.Document{ID: store.NewID(time.Now(), "ann"), UserID: "ann", Kind: store.KindGrant, CreatedAt: time.Now(), Mark: 1}
	fmt.Println(s.Create(context.Background(), d))
	fmt.Println(s.Create(context.Background(), d))
	// Output:
	// the disk is full
	// <nil>
}
