package faulttest

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
)

// occupy fills the file system of a folder up with a file, and returns what
// removes it.
func occupy(t *testing.T, folder string) (free func()) {
	t.Helper()
	path := filepath.Join(folder, "junk")
	for _, piece := range []int{1 << 20, 4 << 10} {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		require.NoError(t, err)
		for err == nil {
			_, err = file.Write(make([]byte, piece))
		}
		require.NoError(t, file.Close())
	}
	return func() { require.NoError(t, os.Remove(path)) }
}

// ends tries to end grants of the chains by each of the ways there are, and
// returns how many of the attempts succeeded. What it has ended must be so, and
// nothing else.
func (h *local) ends(t *testing.T) (ended, cut, refused int) {
	t.Helper()
	grants, _, err := h.ListGrants(t.Context(), provider.GrantQuery{GrantFilter: provider.GrantFilter{ApplicationID: h.ID}, Limit: 20})
	require.NoError(t, err)
	for i, g := range grants {
		filter := provider.GrantFilter{ID: g.ID}
		if i%2 == 0 {
			filter = provider.GrantFilter{UserID: g.UserID}
		}
		failed := h.RevokeGrants(t.Context(), filter)
		d, cuts, err := h.kept.Find(t.Context(), g.ID)
		require.NoError(t, err)
		dead := !d.EndedAt.IsZero() || cuts.Exceed(&d.Seen)
		require.Equal(t, failed == nil, dead, "%v: %v", filter, failed)
		switch {
		case failed != nil:
			refused++
		case i%2 == 0:
			cut++
		default:
			ended++
		}
	}
	return ended, cut, refused
}

// full has load go on until nothing can be created any more, and checks what
// the host says meanwhile and what is there when there is room again.
func (h *local) full(t *testing.T, at target, fill func(), room func() *local) {
	t.Helper()
	chains := h.load(t, h.process(), true, fill)
	undo(chains)
	answered := h.reads(t, chains)
	written, refused := 0, 0
	for range 20 {
		code, r, err := h.authorize(h.url, "user_full")
		require.NoError(t, err)
		if code != "" {
			written++
			continue
		}
		mustStatus(t, http.StatusServiceUnavailable, r, nil)
		require.NotEmpty(t, r.header.Get("Retry-After"))
		refused++
	}
	require.NotZero(t, refused, "it is not full")
	h.load(t, h.process(), true, func() {}) // Whoever comes now is refused, or served.
	again := room()
	audit(t, again.client, again.kept, at, again.process(), chains)
	t.Logf("while full, %d requests that read were answered, %d sign-ins were and %d were not", answered, written, refused)
}

func TestFullSQLite(t *testing.T) {
	at := newTarget(t, "sqlite")
	limited := at
	limited.Source += "&_pragma=max_page_count(120)"
	h := serve(t, limited, 5*time.Second)
	h.full(t, limited, func() {}, func() *local {
		ended, cut, refused := h.ends(t)
		t.Logf("while full, %d grants could be ended, %d users cut off, and %d attempts failed", ended, cut, refused)
		kept, err := at.open(t.Context())
		require.NoError(t, err)
		t.Cleanup(kept.close)
		return serveFor(t, h.client, kept, 5*time.Second)
	})
}

var _ = io.Discard
var _ = store.KindGrant
