//go:build !race

// What is measured here, and the suite at other settings of a database, would
// take minutes with the race detector: "make budgets" runs it without.

package redisstore_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/redisstore"
	"github.com/latchkey-go/latchkey/store/storetest"
)

func TestCost(t *testing.T) {
	client := single(t)
	storetest.RunCost(t, func(t *testing.T) store.Store { return open(t, client) })
}

// A host plans its memory by the number of sign-ins.
func TestBytes(t *testing.T) {
	const records = 10_000
	client := newServer(t).client(t)
	s, err := redisstore.New(client, redisstore.Options{})
	require.NoError(t, err)
	ctx, at := t.Context(), now()
	document := func(user int) store.Document {
		d := newDocument(fmt.Sprintf("user_2abcdefghijklmnopqrst%06d", user), at)
		d.WorkspaceID = ""
		return d
	}
	for _, record := range []struct {
		name   string
		most   int64
		create func(i int) error
	}{
		{"the only grant of a user", 950, func(i int) error { return s.Create(ctx, document(i)) }},
		{"one of ten grants of a user", 800, func(i int) error { return s.Create(ctx, document(records+i/10)) }},
		{"a device", 600, func(i int) error {
			d := document(0)
			d.ID, d.UserID, d.ApplicationID = store.NewID(at, fmt.Sprint(i)), "", ""
			return s.Create(ctx, d)
		}},
		{"a token of a machine", 550, func(i int) error {
			d := document(0)
			d.ID, d.Kind, d.UserID, d.State = store.NewID(at, ""), store.KindMachine, "", strings.Repeat("x", 63)
			return s.Create(ctx, d)
		}},
		{"a cut-off of a user", 400, func(i int) error {
			return s.CutOff(ctx, store.CutKey{UserID: document(i).UserID}, store.CutNumber(at))
		}},
		{"an application", 2_000, func(i int) error {
			return s.CreateApplication(ctx, store.Application{
				ID: fmt.Sprint("oauth_app_2ZyXwVuTsRqPoNm", i), ClientID: fmt.Sprint("2ZyXwVuTsRqPoNmLk", i), Name: "Wiki", Origin: store.OriginManual,
				RedirectURIs: []string{"https://wiki.example.com/oauth/callback"}, Scopes: scopes.New("profile", "email"),
				Secrets: []store.ClientSecret{{ID: "secret_1", Hash: store.HashSecret("a secret"), CreatedAt: at}}, CreatedAt: at, UpdatedAt: at,
			})
		}},
	} {
		before := usedMemory(t, client)
		for i := range records {
			require.NoError(t, record.create(i))
		}
		each := (usedMemory(t, client) - before) / records
		t.Logf("%s takes %d bytes, with all indexes", record.name, each)
		require.LessOrEqual(t, each, record.most, record.name)
	}
}
