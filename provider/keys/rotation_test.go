package keys

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// short has round numbers.
var short = policy{algorithms: []string{ES256}, rotate: 100 * time.Hour, lead: 3 * time.Hour, keep: 10 * time.Hour}

// hours formats keys as their name and the hour when they sign. New ones have a
// star as their name.
func hours(keys []entry) string {
	var texts []string
	for _, e := range keys {
		name := e.ID
		if name == "" {
			name = "*"
		}
		if e.Algorithm != ES256 {
			name += "/" + e.Algorithm
		}
		texts = append(texts, fmt.Sprintf("%s:%v", name, e.SignsAt.Sub(start).Hours()))
	}
	return strings.Join(texts, " ")
}

// entries parses the output of hours.
func entries(t *testing.T, text string) (keys []entry) {
	t.Helper()
	for one := range strings.FieldsSeq(text) {
		name, hour, _ := strings.Cut(one, ":")
		id, alg, found := strings.Cut(name, "/")
		if !found {
			alg = ES256
		}
		var at float64
		_, err := fmt.Sscan(hour, &at)
		require.NoError(t, err)
		keys = append(keys, entry{ID: id, Algorithm: alg, SignsAt: start.Add(time.Duration(at * float64(time.Hour)))})
	}
	return keys
}

func at(hour float64) time.Time { return start.Add(time.Duration(hour * float64(time.Hour))) }

func TestNext(t *testing.T) {
	for name, tt := range map[string]struct {
		algorithms string
		now        string
		hour       float64
		want       string
	}{
		"the first signs at once":                            {"ES256", "", 7, "*:7"},
		"each algorithm has one":                             {"ES256 RS256", "", 7, "*:7 */RS256:7"},
		"nothing to do":                                      {"ES256", "a:0", 96, "a:0"},
		"nothing to do yet":                                  {"ES256", "a:0", 96.9, "a:0"},
		"the next is published before it signs":              {"ES256", "a:0", 97, "a:0 *:100"},
		"it is published once":                               {"ES256", "a:0 b:100", 98, "a:0 b:100"},
		"no instance was running to publish it":              {"ES256", "a:0", 5000, "a:0 *:5003"},
		"the old one stays":                                  {"ES256", "a:0 b:100", 109.9, "a:0 b:100"},
		"the old one goes":                                   {"ES256", "a:0 b:100", 110, "b:100"},
		"several old ones":                                   {"ES256", "a:0 b:100 c:200", 205, "b:100 c:200"},
		"several go at once":                                 {"ES256", "a:0 b:100 c:200", 250, "c:200"},
		"no instance was running to remove any":              {"ES256", "a:0 b:100 c:200", 5000, "c:200 *:5003"},
		"each algorithm by itself":                           {"ES256 RS256", "a:0 b/RS256:50", 110, "a:0 b/RS256:50 *:113"},
		"an added algorithm signs at once":                   {"ES256 RS256", "a:0", 50, "a:0 */RS256:50"},
		"one taken away stays while it may sign elsewhere":   {"RS256", "a:0 b/RS256:50", 109, "a:0 b/RS256:50"},
		"one taken away goes":                                {"RS256", "a:0 b/RS256:50", 110, "b/RS256:50"},
		"one taken away is rotated elsewhere":                {"RS256", "a:0 c:100 b/RS256:50", 110, "c:100 b/RS256:50"},
		"a clock that is a bit behind":                       {"ES256", "a:-97 b:3", -0.1, "a:-97 b:3"},
		"the clock was wrong by a year":                      {"ES256", "a:0 b:9000", 98, "a:0 b:101"},
		"the clock of the first was wrong by a year":         {"ES256", "a:9000", 98, "a:101"},
		"a cache of another instance may need a longer lead": {"ES256", "a:0 b:120", 98, "a:0 b:120"},
	} {
		t.Run(name, func(t *testing.T) {
			p := short
			p.algorithms = strings.Fields(tt.algorithms)
			now := entries(t, tt.now)
			before := slices.Clone(now)
			got := p.next(now, at(tt.hour))
			require.Equal(t, tt.want, hours(got))
			require.Equal(t, before, now, "it changes nothing in place")
			for i := range got {
				if got[i].ID == "" {
					require.Equal(t, at(tt.hour), got[i].PublishedAt)
					got[i].ID = fmt.Sprint("new", i)
				}
			}
			require.Equal(t, hours(got), hours(p.next(got, at(tt.hour))), "once is enough")
		})
	}
}

func TestSigning(t *testing.T) {
	for name, tt := range map[string]struct {
		now  string
		hour float64
		want string
	}{
		"none":                             {"", 0, ""},
		"none of the algorithm":            {"a/RS256:0", 0, ""},
		"the only one":                     {"a:0", 50, "a"},
		"the next waits":                   {"a:0 b:100", 99.9, "a"},
		"its time comes":                   {"a:0 b:100", 100, "b"},
		"in any stored order":              {"b:100 a:0", 100, "b"},
		"the newest of many":               {"a:0 c:200 b:100 d:300", 250, "c"},
		"a clock is behind":                {"a:0", -1, "a"},
		"a clock is behind, and one waits": {"b:100 a:0 c:200", -1, "a"},
		"two at once":                      {"a:0 b:0", 1, "b"},
		"two at once, the other way":       {"b:0 a:0", 1, "b"},
	} {
		t.Run(name, func(t *testing.T) {
			now := entries(t, tt.now)
			got := ""
			if i := signing(now, ES256, at(tt.hour)); i >= 0 {
				got = now[i].ID
			}
			require.Equal(t, tt.want, got)
		})
	}
}

func TestRetiring(t *testing.T) {
	for name, tt := range map[string]struct {
		now  string
		id   string
		hour float64
		want string // "no": there is no such key
	}{
		"unknown":                    {"a:0", "b", 50, "no"},
		"nothing":                    {"a:0", "", 50, "no"},
		"the one that signs":         {"a:0", "a", 50, "*:50"},
		"the next takes its place":   {"a:0 b:100", "a", 98, "b:98"},
		"never an old one":           {"a:0 b:100", "b", 105, "a:0 *:105"},
		"an old one":                 {"a:0 b:100", "a", 105, "b:100"},
		"the next":                   {"a:0 b:100", "b", 98, "a:0"},
		"of an algorithm taken away": {"a:0 b/RS256:0", "b", 50, "a:0"},
	} {
		t.Run(name, func(t *testing.T) {
			got, found := short.retire(entries(t, tt.now), tt.id, at(tt.hour))
			if !found {
				require.Equal(t, "no", tt.want)
				return
			}
			require.Equal(t, tt.want, hours(got))
		})
	}
}

// The maximum number of keys fits into a document of every store.
func TestTheMostKeysFit(t *testing.T) {
	o, err := Options{Secrets: []string{strings.Repeat("s", minSecret)}, Algorithms: []string{RS256, ES256, EdDSA},
		CacheFor: minCacheFor, Rotate: tokenLifetime / 4}.withDefaults()
	require.ErrorContains(t, err, "Store is required")
	require.NotContains(t, err.Error(), "Rotate", "more would be refused")
	made := maker{}
	var now []entry
	most := 0
	for hour := range 100 * 6 {
		now = o.policy().next(now, at(float64(hour)))
		require.NoError(t, made.make(now))
		most = max(most, len(now))
	}
	require.LessOrEqual(t, most, 3*7)
	for len(now) < most {
		now = append(now, now[slices.IndexFunc(now, func(e entry) bool { return e.Algorithm == RS256 })])
	}
	state, err := seal(o.Secrets[0], now)
	require.NoError(t, err)
	require.Less(t, len(state), 64<<10)
	t.Log(most, "keys,", len(state), "bytes")
}
