package provider

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
)

// All failures together use a bounded amount of memory, for any number of
// senders and applications, and requests of strangers don't replace proved
// failures.
func TestFailuresAreBoundedInMemory(t *testing.T) {
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	f := newFailures()
	now := time.Now()
	// Long causes that differ each time, which no real request has.
	attack := func(application string, proved bool, i int) {
		e := refuse(codeInvalidGrant, "%s", strings.Repeat("d", 1000)).tells(fmt.Errorf("cause %d: %s", i, strings.Repeat("x", 1000)))
		f.note(application, "token", proved, e.with("redirect_uri", strings.Repeat("é", 1000)), now)
	}
	for i := range 60_000 {
		attack(fmt.Sprintf("oa_%027d", i/40%1500), i%2 == 0, i)
	}
	used := heap() - before
	for _, table := range []*failureTable{&f.proved, &f.claimed} {
		require.LessOrEqual(t, len(table.byID), maxFailing)
		require.Equal(t, len(table.byID), table.recent.Len())
		require.LessOrEqual(t, table.causes, maxAllCauses)
		sum := 0
		for e := table.recent.Front(); e != nil; e = e.Next() {
			sum += len(e.Value.(*failing).causes)
		}
		require.Equal(t, sum, table.causes)
	}
	t.Logf("%d and %d causes use %.1f MB", f.proved.causes, f.claimed.causes, float64(used)/1e6)
	require.Less(t, used, int64(20_000_000))

	// Strangers, and applications with documents, which anyone can publish,
	// don't replace the application's proved failures.
	f = newFailures()
	f.note("oa_honest", "token", true, refuse(codeInvalidGrant, "The own."), now)
	for i := range 20_000 {
		attack("oa_honest", false, i)
		attack(documentApplicationID(fmt.Sprintf("https://%d.example/client", i)), true, i)
	}
	require.Equal(t, "The own.", f.of("oa_honest")[0].Description)
	require.Len(t, f.of("oa_honest"), 1+maxCauses)
}

// AnotherTokenOf forges an access token of the same grant, as an attacker who
// has seen the grant's ID can.
func AnotherTokenOf(p *Provider, text string) string {
	known, _ := p.prefix.decode(rules.KindAccess, text)
	return p.prefix.encode(rules.KindAccess, newCredential(known.grantID))
}
