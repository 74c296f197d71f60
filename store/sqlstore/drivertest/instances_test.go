package drivertest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/sqlstore"
)

// BenchmarkInstances has one process and then four, with as many clients in
// all, use one PostgreSQL that holds many grants: ten lookups of a token for
// each sign-in and each refresh, one sign-in of ten revoked, and every process
// cleans up all the while.
// LATCHKEY_SCALE has the numbers of grants, of which the last counts. Run it
// with -benchtime 1x: it takes turns of its own.
func BenchmarkInstances(b *testing.B) {
	sizes := strings.Split(env("LATCHKEY_SCALE", "10000"), ",")
	n, err := strconv.Atoi(sizes[len(sizes)-1])
	require.NoError(b, err)
	at := time.Now().UTC().Truncate(time.Microsecond)
	db := connect(b, "pgx", postgresURL())
	_, prefix := fresh(b, db, sqlstore.Postgres)
	fillPostgres(b, db, prefix, 1, n+1, at)
	const clients, rounds = 16, 3
	perSecond := map[int][]float64{}
	var all instanceResult
	for range b.N {
		for range rounds {
			for _, processes := range []int{1, 4} {
				if b.Failed() {
					return
				}
				total := runInstances(b, instance{Prefix: prefix, Grants: n, At: at, Clients: clients / processes, For: 5 * time.Second}, processes)
				perSecond[processes] = append(perSecond[processes], float64(len(total.Find)+len(total.Rotate)+2*len(total.SignIn))/5)
				if processes == 4 {
					all.add(total)
				}
			}
		}
	}
	for processes, rates := range perSecond {
		slices.Sort(rates)
		b.ReportMetric(rates[len(rates)/2], fmt.Sprintf("steps/s@%d", processes))
	}
	for name, took := range map[string][]int64{"find": all.Find, "rotate": all.Rotate, "sign-in": all.SignIn} {
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2]), "µs-"+name)
		b.ReportMetric(float64(took[len(took)*99/100]), "µs-"+name+"-p99")
	}
	b.ReportMetric(float64(all.Deleted), "deleted")
	b.ReportMetric(0, "ns/op")
}

// An instance is what one of the processes is to do.
type instance struct {
	Prefix          string
	Grants, Clients int
	At              time.Time
	For             time.Duration
}

// An instanceResult is how long each step took, in microseconds, and how many
// records its cleanups deleted.
type instanceResult struct {
	Find, Rotate, SignIn []int64
	Deleted              int
}

func (r *instanceResult) add(other instanceResult) {
	r.Find, r.Rotate = append(r.Find, other.Find...), append(r.Rotate, other.Rotate...)
	r.SignIn, r.Deleted = append(r.SignIn, other.SignIn...), r.Deleted+other.Deleted
}

const instanceVariable = "LATCHKEY_TEST_INSTANCE"

// runInstances runs so many processes at once and returns what all of them did.
func runInstances(b *testing.B, what instance, processes int) (total instanceResult) {
	b.Helper()
	encoded, err := json.Marshal(what)
	require.NoError(b, err)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range processes {
		wg.Go(func() {
			c := exec.CommandContext(b.Context(), os.Args[0], "-test.run", "^TestInstance$", "-test.v")
			c.Env = append(os.Environ(), instanceVariable+"="+string(encoded))
			said, err := c.Output()
			_, answer, ok := bytes.Cut(said, []byte("result: "))
			var result instanceResult
			if err != nil || !ok || json.NewDecoder(bytes.NewReader(answer)).Decode(&result) != nil {
				b.Errorf("a process has failed: %v: %s", err, said)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			total.add(result)
		})
	}
	wg.Wait()
	return total
}

// TestInstance is one of the processes of BenchmarkInstances, and no test by
// itself.
func TestInstance(t *testing.T) {
	encoded := os.Getenv(instanceVariable)
	if encoded == "" {
		return
	}
	var what instance
	require.NoError(t, json.Unmarshal([]byte(encoded), &what))
	db := connect(t, "pgx", postgresURL())
	s, err := sqlstore.New(db, sqlstore.Postgres, sqlstore.Options{TablePrefix: what.Prefix})
	require.NoError(t, err)

	ctx, cancel := context.WithTimeout(t.Context(), what.For)
	defer cancel()
	var result instanceResult
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range what.Clients {
		wg.Go(func() {
			mine := what.use(t, ctx, s)
			mu.Lock()
			defer mu.Unlock()
			result.add(mine)
		})
	}
	wg.Go(func() {
		for ctx.Err() == nil {
			n, err := s.DeleteExpired(context.Background(), store.Expiry{Before: what.At, RotatedBefore: what.At, Limit: 1000})
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			result.Deleted += n
			mu.Unlock()
			time.Sleep(100 * time.Millisecond)
		}
	})
	wg.Wait()
	answer, err := json.Marshal(result)
	require.NoError(t, err)
	fmt.Printf("result: %s\n", answer)
}

// use is one client, until the context ends.
func (what instance) use(t *testing.T, ctx context.Context, s *sqlstore.Store) (r instanceResult) {
	timed := func(took *[]int64, step func() error) {
		began := time.Now()
		// What the context cuts off is not counted, so no step is bound to it.
		if err := step(); err != nil {
			t.Error(err)
		}
		*took = append(*took, time.Since(began).Microseconds())
	}
	bg := context.Background()
	for ctx.Err() == nil {
		for range 10 {
			timed(&r.Find, func() error {
				_, _, err := s.FindToken(bg, accessOf(1+rand.IntN(what.Grants)))
				return err
			})
		}
		timed(&r.SignIn, func() error {
			n := newGrant(filledUser(rand.IntN(what.Grants)), filledApplication(rand.IntN(100)), what.At)
			if err := s.CreateGrant(bg, n); err != nil {
				return err
			}
			if _, err := s.RedeemCode(bg, redemption(n, what.At)); err != nil || rand.IntN(10) > 0 {
				return err
			}
			_, err := s.RevokeGrants(bg, store.GrantFilter{ID: n.Grant.ID}, what.At)
			return err // The next cleanup deletes it.
		})
		timed(&r.Rotate, func() error {
			g := 1 + rand.IntN(what.Grants)
			_, err := s.RotateRefresh(bg, rotation(refreshOf(g), filledApplication(g), what.At))
			if errors.Is(err, store.ErrReused) || errors.Is(err, store.ErrRevoked) {
				err = nil // The grant has had its turn.
			}
			return err
		})
	}
	return r
}
