package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkInstances compares one instance with three on the same store, in
// turns, so that both get the same machine: requests per second, and the CPU
// time of the hosts and the database servers for 1,000 requests. Clients,
// hosts, and database share the machine, so with few processors three can't be
// faster than one. The benchmark fails if they are much slower.
func BenchmarkInstances(b *testing.B) {
	const rounds = 4
	for _, kind := range []string{"postgres", "mysql", "redis", "cluster", "sqlite"} {
		b.Run(kind, func(b *testing.B) {
			at := newTarget(b, kind)
			hosts := startAll(b, instanceCount, hostConfig{At: at, StoreTimeout: 20 * time.Second})
			kept, err := at.open(b.Context())
			require.NoError(b, err)
			b.Cleanup(kept.close)
			c := newClient(b, kept)
			var rate, cpu, database [2]float64
			for round := range 2 * rounds {
				i := round % 2
				some := hosts[:1+i*(instanceCount-1)]
				before, databaseBefore, began := cpuSeconds(hosts), databaseSeconds(kind), time.Now()
				n := c.signInsFor(b, some, 2*time.Second)
				rate[i] += n / time.Since(began).Seconds() / rounds
				cpu[i] += (cpuSeconds(hosts) - before) * 1000 / n / rounds
				database[i] += (databaseSeconds(kind) - databaseBefore) * 1000 / n / rounds
			}
			b.ReportMetric(rate[0], "one-requests/s")
			b.ReportMetric(rate[1], "three-requests/s")
			b.ReportMetric(cpu[0], "one-cpu-s/1000")
			b.ReportMetric(cpu[1], "three-cpu-s/1000")
			b.ReportMetric(database[0], "one-database-cpu-s/1000")
			b.ReportMetric(database[1], "three-database-cpu-s/1000")
			if rate[1] < 0.5*rate[0] {
				b.Errorf("three instances answer %.0f requests a second, and one alone %.0f", rate[1], rate[0])
			}
		})
	}
}

// signInsFor has clients sign in, refresh, and use their tokens for d, each
// request at the next host, and returns the number of requests.
func (c *client) signInsFor(b *testing.B, hosts []*process, d time.Duration) float64 {
	var all sync.WaitGroup
	var requests atomic.Int64
	for w := range loadWorkers {
		all.Go(func() {
			n := w
			host := func() string {
				n++
				requests.Add(1)
				return hosts[n%len(hosts)].url
			}
			for end := time.Now().Add(d); time.Now().Before(end); {
				code, _, err := c.authorize(host(), fmt.Sprint("user_", w))
				r, failed := c.redeem(host(), code)
				for range 6 {
					p, ok := r.pair()
					if err != nil || failed != nil || !ok {
						b.Errorf("%s %v %v", r, err, failed)
						return
					}
					_, err = c.notes(host(), p.Access)
					r, failed = c.refresh(host(), p.Refresh)
				}
			}
		})
	}
	all.Wait()
	return float64(requests.Load())
}

// cpuSeconds is the CPU time of the hosts, on Linux.
func cpuSeconds(hosts []*process) (seconds float64) {
	for _, h := range hosts {
		seconds += cpuOf(fmt.Sprintf("/proc/%d", h.cmd.Process.Pid))
	}
	return seconds
}

// databaseSeconds is the CPU time of all processes that run the server of a
// kind of store. SQLite has none.
func databaseSeconds(kind string) (seconds float64) {
	programs := map[string][]string{
		"postgres": {"postgres"}, "mysql": {"mariadbd", "mysqld"}, "redis": {"redis-server"}, "cluster": {"redis-server"},
	}
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, folder := range folders {
		name, _ := os.ReadFile(filepath.Join(folder, "comm"))
		if slices.Contains(programs[kind], strings.TrimSpace(string(name))) {
			seconds += cpuOf(folder)
		}
	}
	return seconds
}

// cpuOf is the CPU time of a process, given its folder in /proc, including its
// children that have ended.
func cpuOf(folder string) (seconds float64) {
	const ticks = 100 // per second, a constant of Linux
	text, _ := os.ReadFile(filepath.Join(folder, "stat"))
	_, rest, _ := strings.Cut(string(text), ") ")
	if fields := strings.Fields(rest); len(fields) > 14 {
		for _, field := range fields[11:15] { // utime, stime, cutime, cstime
			n, _ := strconv.ParseFloat(field, 64)
			seconds += n / ticks
		}
	}
	return seconds
}
