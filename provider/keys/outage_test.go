package keys_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider/keys"
	"github.com/latchkey-go/latchkey/store"
)

func TestStoreThatIsDown(t *testing.T) {
	d := deploy(t)
	k := d.start()
	token := sign(t, k, keys.ES256)
	d.store.Fail(errDown)
	_, err := keys.New(ctx, d.options())
	require.ErrorIs(t, err, errDown)
	require.ErrorIs(t, k.Maintain(ctx), errDown)
	require.ErrorIs(t, k.Retire(ctx, kid(t, token)), errDown)
	for range 59 {
		d.clock.pass(time.Minute)
		sign(t, k, keys.ES256)
		published(t, k)
		_, err := k.Verify(ctx, token)
		require.NoError(t, err)
		_, err = k.List(ctx)
		require.NoError(t, err)
	}
	d.clock.pass(time.Minute)
	_, err = k.Sign(ctx, keys.ES256, []byte("{}"))
	require.ErrorIs(t, err, errDown)
	require.ErrorContains(t, err, "last read at 2026-03-01T12:00:00Z")
	_, _, err = k.PublicKeys(ctx)
	require.ErrorIs(t, err, errDown)
	_, err = k.Verify(ctx, token)
	require.ErrorIs(t, err, errDown)
	_, err = k.List(ctx)
	require.ErrorIs(t, err, errDown)
	d.store.Heal()
	require.Equal(t, kid(t, token), kid(t, sign(t, k, keys.ES256)))
}

// While the copy is usable, requests don't wait for a hanging store or each
// other, and call it rarely.
func TestStoreThatHangsDelaysNoOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t)
		k := d.start()
		sign(t, k, keys.ES256)
		asked := make(chan struct{}, 1000)
		d.store.Before(func(ctx context.Context, _ string) error {
			asked <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		})
		d.clock.pass(time.Minute)
		began := time.Now()
		first := make(chan struct{})
		go func() {
			defer close(first)
			sign(t, k, keys.ES256)
		}()
		<-asked
		for range 100 {
			sign(t, k, keys.ES256)
		}
		require.Zero(t, time.Since(began))
		<-first
		require.Equal(t, 500*time.Millisecond, time.Since(began))
		for range 100 {
			sign(t, k, keys.ES256)
		}
		require.Empty(t, asked)
	})
}

// A start or a Cleanup without a deadline ends anyway.
func TestStoreThatHangsIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t)
		k := d.start()
		d.clock.pass(90 * 24 * time.Hour)
		d.store.Hang("Find")
		_, err := keys.New(ctx, d.options())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, k.Maintain(ctx), context.DeadlineExceeded)
		d.store.Hang("Replace")
		require.ErrorIs(t, k.Maintain(ctx), context.DeadlineExceeded)
		d.store.Heal()
		d.remove()
		d.store.Hang("Create")
		_, err = keys.New(ctx, d.options())
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// A client that hangs up doesn't disturb others who wait for the keys. A
// request without a usable copy ends when its client does.
func TestRequestsThatEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t)
		k := d.start()
		d.clock.pass(2 * time.Hour)
		gone, stop := context.WithCancel(ctx)
		stop()
		_, err := k.Sign(gone, keys.ES256, []byte("{}"))
		require.NoError(t, err)

		d.clock.pass(2 * time.Hour)
		asked := make(chan struct{})
		d.store.Once("Find", func() { close(asked); time.Sleep(time.Second) })
		done := make(chan error)
		go func() {
			_, err := k.Sign(ctx, keys.ES256, []byte("{}"))
			done <- err
		}()
		<-asked
		_, err = k.Sign(gone, keys.ES256, []byte("{}"))
		require.ErrorIs(t, err, context.Canceled)
		require.NoError(t, <-done)
	})
}

func TestStoreThatPanicsLeavesNoOneWaiting(t *testing.T) {
	d := deploy(t)
	k := d.start()
	d.clock.pass(2 * time.Hour)
	d.store.Before(func(context.Context, string) error { panic("at the disco") })
	require.Panics(t, func() { k.Sign(ctx, keys.ES256, []byte("{}")) })
	require.Panics(t, func() { k.Maintain(ctx) })
	d.store.Heal()
	sign(t, k, keys.ES256)
	require.NoError(t, k.Maintain(ctx))
}

// A write whose answer was lost has succeeded.
func TestLostAnswers(t *testing.T) {
	d := deploy(t)
	d.store.Lose(errDown, "Create")
	_, err := keys.New(ctx, d.options())
	require.ErrorIs(t, err, errDown)
	d.store.Heal()
	k := d.start()
	d.clock.pass(90 * 24 * time.Hour)
	d.store.Lose(errDown, "Replace")
	require.ErrorIs(t, k.Maintain(ctx), errDown)
	d.store.Heal()
	require.NoError(t, k.Maintain(ctx))
	require.Len(t, published(t, k).Keys, 2)
}

func TestDocumentThatIsAlwaysChanged(t *testing.T) {
	d := deploy(t)
	k := d.start()
	d.clock.pass(90 * 24 * time.Hour)
	d.store.Fail(store.ErrConflict, "Replace")
	require.ErrorContains(t, k.Maintain(ctx), "keeps changing")
}
