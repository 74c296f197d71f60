package redisstore_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/storetest/plain"
)

// Each list equals that of package plain.
func TestListApplications(t *testing.T) {
	const apps = 2_500 // so that some queries match more than are sorted in memory
	client := single(t)
	c := &counter{}
	client.AddHook(c)
	s, want, ctx, at := open(t, client), plain.New(), t.Context(), now()
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(texts ...string) string { return texts[random.IntN(len(texts))] }
	times := func() time.Time { return at.Add(time.Duration(random.IntN(1000)) * time.Second) }
	for i := range apps {
		app := store.Application{
			ID: fmt.Sprint("app ", random.Uint32(), i), ClientID: fmt.Sprint("client ", i), Name: pick("Wiki", "a wiki", "Notes", "Ärger"),
			OwnerID: pick("", "", "", "owner 1", "owner 2"), CreatedAt: times(), UpdatedAt: times(),
			Origin: store.Origin(pick("manual", "registration", "registration", "registration", "document")),
		}
		if i%100 == 0 {
			app.Origin = "rare"
		}
		require.NoError(t, s.CreateApplication(ctx, app))
		require.NoError(t, want.CreateApplication(ctx, app))
		switch i % 7 {
		case 0:
			app.Version, app.OwnerID, app.Origin, app.UpdatedAt = 1, pick("", "owner 1"), store.OriginRegistration, times()
			require.NoError(t, s.UpdateApplication(ctx, app))
			require.NoError(t, want.UpdateApplication(ctx, app))
		case 1:
			require.NoError(t, s.DeleteApplication(ctx, app.ID))
			require.NoError(t, want.DeleteApplication(ctx, app.ID))
		}
	}
	orders := []store.ApplicationOrder{store.NewestFirst, store.OldestFirst, store.NameAscending, store.NameDescending}
	for range 200 {
		q := store.ApplicationQuery{
			OwnerID: pick("", "", "owner 1", "owner 2", "nobody"), Name: pick("", "", "WIKI", "client 7", "är"),
			Origin: store.Origin(pick("", "", "manual", "registration", "rare", "none")),
			Order:  orders[random.IntN(len(orders))], Limit: random.IntN(300), Offset: random.IntN(3) * random.IntN(1500),
		}
		if random.IntN(2) == 0 {
			q.UpdatedBefore = times().Add(time.Duration(random.IntN(1000)))
		}
		page, total, err := s.ListApplications(ctx, q)
		require.NoError(t, err)
		wantPage, wantTotal, err := want.ListApplications(ctx, q)
		require.NoError(t, err)
		require.Equal(t, wantTotal, total, "the total of %+v", q)
		require.Len(t, page, len(wantPage), "the page of %+v", q)
		for i := range page {
			require.Equal(t, wantPage[i], page[i], "the page of %+v", q)
		}
	}

	// A cleanup's query, and the first page, cost only as much as they return.
	for _, q := range []store.ApplicationQuery{
		{Origin: store.OriginRegistration, UpdatedBefore: at.Add(10 * time.Second), Order: store.OldestFirst, Limit: 100},
		{Origin: store.OriginRegistration, UpdatedBefore: at.Add(1000 * time.Second), Order: store.OldestFirst, Limit: 10},
		{Limit: 10},
	} {
		c.trips.Store(0)
		_, _, err := s.ListApplications(ctx, q)
		require.NoError(t, err)
		require.LessOrEqual(t, c.trips.Load(), int64(3), "round trips of %+v", q)
	}
}
