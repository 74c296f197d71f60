package storetest_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/storetest"
	"github.com/latchkey-go/latchkey/store/storetest/plain"
)

var errDown = errors.New("the store is down")

// application returns an application that can be created.
func application(id string) store.Application { return store.Application{ID: id, ClientID: id} }

// A store keeps every promise before a test breaks it and after it is healed.
func TestBreakableStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return storetest.NewBreakable(plain.New()) })
}

func TestBreakableIsHealed(t *testing.T) {
	b := storetest.NewBreakable(plain.New())
	b.Fail(errDown)
	b.Lose(errDown)
	b.Heal()
	errs, _ := each(b)
	for step, err := range errs {
		require.NotErrorIs(t, err, errDown, step)
	}
	require.True(t, b.Forgets(), "as the store in it does")
}

func TestBreakableFails(t *testing.T) {
	s := plain.New()
	b := storetest.NewBreakable(s)
	b.Fail(errDown, "CreateApplication", "Find")
	errs, _ := each(b)
	for step, err := range errs {
		if step == "CreateApplication" || step == "Find" {
			require.ErrorIs(t, err, errDown, step)
		} else {
			require.NotErrorIs(t, err, errDown, step)
		}
	}
	_, err := s.FindApplication(t.Context(), "a")
	require.ErrorIs(t, err, store.ErrNotFound, "the application was created")

	b.Fail(errDown)
	errs, _ = each(b)
	for step, err := range errs {
		require.ErrorIs(t, err, errDown, step)
	}
}

func TestBreakableLosesAnswers(t *testing.T) {
	s := plain.New()
	b := storetest.NewBreakable(s)
	b.Lose(errDown, "CreateApplication")
	require.ErrorIs(t, b.CreateApplication(t.Context(), application("a")), errDown)
	_, err := s.FindApplication(t.Context(), "a")
	require.NoError(t, err, "the application was not created")
	require.ErrorIs(t, b.CreateApplication(t.Context(), application("a")), store.ErrExists, "a step that fails has an answer")
	_, err = b.FindApplication(t.Context(), "a")
	require.NoError(t, err)

	b.Lose(errDown)
	app, err := b.FindApplication(t.Context(), "a")
	require.ErrorIs(t, err, errDown)
	require.Zero(t, app)
}

func TestBreakableHangs(t *testing.T) {
	b := storetest.NewBreakable(plain.New())
	b.Hang("CreateApplication")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, b.CreateApplication(ctx, application("a")), context.DeadlineExceeded)
	_, err := b.FindApplication(t.Context(), "a")
	require.ErrorIs(t, err, store.ErrNotFound, "the other steps are done")
}

func TestBreakableDoesSomethingOnce(t *testing.T) {
	b := storetest.NewBreakable(plain.New())
	var ran atomic.Int32
	b.Once("CreateApplication", func() {
		ran.Add(1)
		require.NoError(t, b.CreateApplication(t.Context(), application("a")), "it may do the step itself")
	})
	_, err := b.FindApplication(t.Context(), "a")
	require.ErrorIs(t, err, store.ErrNotFound)
	require.ErrorIs(t, b.CreateApplication(t.Context(), application("a")), store.ErrExists)

	b.Once("CreateApplication", func() { ran.Add(1); b.Fail(errDown, "CreateApplication") })
	require.NoError(t, b.CreateApplication(t.Context(), application("b")), "a fault that f sets applies to later steps")
	require.ErrorIs(t, b.CreateApplication(t.Context(), application("c")), errDown)

	b.Once("CreateApplication", func() { ran.Add(1) })
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if err := b.CreateApplication(t.Context(), application(fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 3, ran.Load())
}

// A store that fails, one that loses an answer, and a request that another one
// overtakes.
func ExampleBreakable() {
	ctx := context.Background()
	kept := storetest.NewBreakable(plain.New()) // for Config.Store
	create := func(id string) error { return kept.CreateApplication(ctx, store.Application{ID: id, ClientID: id}) }
	found := func(id string) bool { _, err := kept.FindApplication(ctx, id); return err == nil }

	kept.Fail(errors.New("the disk is full"), "CreateApplication")
	fmt.Println(create("wiki"), found("wiki"))
	kept.Heal()

	kept.Lose(errors.New("the connection was reset"), "CreateApplication")
	fmt.Println(create("wiki"), found("wiki"))
	kept.Heal()

	kept.Once("CreateApplication", func() { fmt.Println(create("chat")) })
	fmt.Println(create("chat"))

	// Output:
	// the disk is full false
	// the connection was reset true
	// <nil>
	// store: already exists
}
