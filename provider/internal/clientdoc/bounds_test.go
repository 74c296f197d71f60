package clientdoc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A world has servers of documents that answer as a test says. Time passes when
// nothing else can happen.
type world struct {
	t testing.TB
	*Cache[string]

	mu    sync.Mutex
	asked map[string]int // by URL
	serve func(url string) (status int, header string)
	slow  func(url string) bool // never answers in time
}

// inWorld runs a test in which each URL has a document, the URL itself.
func inWorld(t *testing.T, test func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, asked: map[string]int{}, slow: func(string) bool { return false }}
		w.serve = func(string) (int, string) { return 200, "" }
		w.Cache = newCache(transportFunc(w.answer), nil)
		defer w.passes(fetchTimeout) // Fetches in progress end.
		test(t, w)
	})
}

// passes lets time pass, and waits for everything that then happens.
func (w *world) passes(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (w *world) answer(r *http.Request) (*http.Response, error) {
	url := r.URL.String()
	w.mu.Lock()
	w.asked[url]++
	slow := w.slow(url)
	status, header := w.serve(url)
	w.mu.Unlock()
	if slow {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	if status == 0 {
		return nil, errors.New("no server")
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}, "Cache-Control": {header}},
		Body: io.NopCloser(strings.NewReader(fmt.Sprint(url, " ", w.asked[url])))}, nil
}

// set changes how servers answer.
func (w *world) set(status int, header string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.serve = func(string) (int, string) { return status, header }
}

// isSlow makes servers slow whose URL contains the text.
func (w *world) isSlow(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.slow = func(url string) bool { return strings.Contains(url, text) }
}

func (w *world) find(user, url string) (string, error) {
	return w.Find(context.Background(), user, url, mayFetch)
}

// opens lets a user open links, all at once, and waits until nothing more
// happens.
func (w *world) opens(user string, urls ...string) {
	for _, url := range urls {
		go w.find(user, url)
	}
	synctest.Wait()
}

// finds checks that a user gets a document, the nth version of its server.
func (w *world) finds(user, url string, nth int) {
	w.t.Helper()
	got, err := w.find(user, url)
	require.NoError(w.t, err)
	require.Equal(w.t, fmt.Sprint(url, " ", nth), got)
}

func slowURLs(n int, format string) (urls []string) {
	for i := range n {
		urls = append(urls, fmt.Sprintf(format, i))
	}
	return urls
}

const honest = "https://honest.example.com/client.json"

// A user with many slow documents gets two fetches, and doesn't delay other
// users.
func TestOneUsersSlowDocumentsLockNoOneOut(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.isSlow("slow")
		w.opens("mallory", slowURLs(100, "https://slow%d.example.com/c")...)
		require.Len(t, w.underWay, maxByUser)
		_, err := w.find("mallory", honest)
		require.ErrorIs(t, err, ErrTooMany)
		w.finds("ada", honest, 1)
		w.finds("mallory", honest, 1) // It costs no fetch.
		w.passes(fetchTimeout)
		w.finds("mallory", "https://other.example.com/c", 1)
		require.Empty(t, w.underWay)
		require.Empty(t, w.byUser)
		require.Empty(t, w.byHost)
	})
}

func TestFetchesUnderWayAreBounded(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.finds("ada", honest, 1)
		w.finds("grace", honest, 1)
		w.isSlow("")
		for i := range maxFetches {
			w.opens(fmt.Sprint("mallory", i), slowURLs(maxByUser, fmt.Sprintf("https://slow%d-%%d.example.com/c", i))...)
		}
		require.Len(t, w.underWay, maxFetches)
		_, err := w.find("ada", "https://more.example.com/c")
		require.ErrorIs(t, err, ErrBusy)
		w.passes(defaultFresh) // The slow ones are over;
		for i := range maxFetches {
			w.opens(fmt.Sprint("mallory", i), slowURLs(maxByUser, fmt.Sprintf("https://slow%d-%%d.example.com/c", i))...)
		}
		w.finds("ada", honest, 1) // others begin, and what is remembered is served.
		w.passes(fetchTimeout)
		w.isSlow("slow")
		w.finds("ada", "https://more.example.com/c", 1)
	})
}

// Many documents on one host, on any port, don't make this server a burden to
// that host. One user alone can't use up the limit of a host.
func TestFetchesFromOneHostAreBounded(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.isSlow("slow")
		for i := range 2 * maxByHost {
			w.opens(fmt.Sprint("mallory", i), slowURLs(10, fmt.Sprintf("https://victim.example.com:%d/slow%%d", 8000+i))...)
		}
		require.Len(t, w.underWay, maxByHost)
		require.Equal(t, map[string]int{"victim.example.com": maxByHost}, w.byHost)
		_, err := w.find("ada", "https://victim.example.com/client.json")
		require.ErrorIs(t, err, ErrBusy)
		w.finds("ada", honest, 1)
		w.passes(fetchTimeout)

		w.opens("mallory", slowURLs(10, "https://victim.example.com/slow%d")...)
		w.finds("ada", "https://victim.example.com/client.json", 1)
	})
}

// Errors are not cached, so the limit on a user's fetches bounds how often a
// user can have a host requested.
func TestFetchesOfOneUserInAMinuteAreBounded(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.set(404, "")
		var wrong *Error
		const victim = "https://victim.example.com/c"
		for range maxPerMinute {
			_, err := w.find("mallory", victim)
			require.ErrorAs(t, err, &wrong)
		}
		for range 100 {
			_, err := w.find("mallory", victim)
			require.ErrorIs(t, err, ErrTooMany)
		}
		require.Equal(t, maxPerMinute, w.asked[victim])
		w.set(200, "")
		w.finds("ada", honest, 1)
		w.finds("ada", victim, maxPerMinute+1) // An error is forgotten at once.
		w.passes(time.Minute)
		w.finds("mallory", "https://other.example.com/c", 1)
	})
}

// A cached document is used during a new fetch and if that fails on the way,
// but not for long. An answer of its server replaces it.
func TestRememberedDocumentIsServedWhileItIsFetchedAnew(t *testing.T) {
	busy := func(w *world) {
		w.isSlow("slow")
		for i := range maxByHost {
			w.opens(fmt.Sprint("mallory", i), fmt.Sprint("https://honest.example.com/slow", i))
		}
	}
	for name, tt := range map[string]struct {
		header string // of the cached document
		change func(w *world)
		after  time.Duration
		served int // which document; 0: an error
	}{
		"fresh":                    {"", func(w *world) { w.set(404, "") }, defaultFresh - time.Second, 1},
		"it is quick":              {"", func(*world) {}, defaultFresh, 2},
		"it is slow":               {"", func(w *world) { w.isSlow("honest") }, defaultFresh, 1},
		"too many of its host":     {"", busy, defaultFresh, 1},
		"no server":                {"", func(w *world) { w.set(0, "") }, defaultFresh, 1},
		"its server is broken":     {"", func(w *world) { w.set(503, "") }, defaultFresh, 1},
		"its server has had it":    {"", func(w *world) { w.set(429, "") }, defaultFresh, 1},
		"nearly too old":           {"", func(w *world) { w.set(0, "") }, defaultFresh + maxStale - time.Second, 1},
		"too old":                  {"", func(w *world) { w.set(0, "") }, defaultFresh + maxStale, 0},
		"too old, and slow":        {"", func(w *world) { w.isSlow("honest") }, defaultFresh + maxStale, 0},
		"too old, and too many":    {"", busy, defaultFresh + maxStale, 0},
		"it is gone":               {"", func(w *world) { w.set(404, "") }, defaultFresh, 0},
		"it is elsewhere":          {"", func(w *world) { w.set(302, "") }, defaultFresh, 0},
		"it must be asked for":     {"max-age=600, must-revalidate", func(w *world) { w.set(0, "") }, 10 * time.Minute, 0},
		"it should not be stored":  {"no-store", func(w *world) { w.isSlow("honest") }, minFresh, 0},
		"others may store it less": {"s-maxage=600", func(w *world) { w.set(503, "") }, 10 * time.Minute, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.set(200, tt.header)
				w.finds("ada", honest, 1)
				w.passes(tt.after)
				tt.change(w)
				began := time.Now()
				got, err := w.find("ada", honest)
				if tt.served == 0 {
					require.Error(t, err)
					_, usable, _ := w.remembered("ada", honest)
					require.False(t, usable)
					return
				}
				require.NoError(t, err)
				require.Equal(t, fmt.Sprint(honest, " ", tt.served), got)
				require.LessOrEqual(t, time.Since(began), patience)
			})
		})
	}
	t.Run("a refused fetch", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			tooMany := errors.New("too many")
			refused := func() error { return tooMany }
			_, err := w.Find(context.Background(), "ada", honest, refused)
			require.ErrorIs(t, err, tooMany)
			require.Empty(t, w.asked)
			w.finds("ada", honest, 1)
			w.passes(defaultFresh)
			got, err := w.Find(context.Background(), "ada", honest, refused)
			require.NoError(t, err)
			require.Equal(t, honest+" 1", got)
			w.passes(maxStale)
			_, err = w.Find(context.Background(), "ada", honest, refused)
			require.ErrorIs(t, err, tooMany)
		})
	})
}

// What one user has fetched, failing or not, doesn't replace what others use.
func TestJunkPushesNothingOut(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.set(200, "max-age=86400")
		var documents []string
		for i := range 100 {
			documents = append(documents, fmt.Sprintf("https://honest%d.example.com/c", i))
			w.finds(fmt.Sprint("ada", i), documents[i], 1)
			w.finds(fmt.Sprint("grace", i), documents[i], 1)
		}
		for _, status := range []int{404, 0, 200} {
			w.set(status, "max-age=86400")
			for i := range 5000 {
				if i%maxPerMinute == 0 {
					w.passes(time.Minute)
				}
				w.find("mallory", fmt.Sprintf("https://junk%d-%d.example.com/c", status, i))
			}
		}
		require.Len(t, w.kept, len(documents)+maxKeptByUser)
		for user := range maxKept / 10 { // Many users together push out each other's only.
			for i := range maxKeptByUser {
				w.find(fmt.Sprint("mallory", user), fmt.Sprintf("https://junk%d-%d.example.com/d", user, i))
			}
		}
		require.Len(t, w.kept, maxKept)
		w.set(404, "")
		for _, url := range documents {
			w.finds("ada", url, 1)
		}
	})
}

// Documents with many users are bounded too.
func TestRememberedDocumentsAreBounded(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		for i := range 2 * maxKept {
			url := fmt.Sprintf("https://c%d.example.com/c", i)
			w.finds(fmt.Sprint("ada", i), url, 1)
			w.finds(fmt.Sprint("grace", i), url, 1)
		}
		require.Len(t, w.kept, maxKept)
	})
}

// If a Transport of the host panics, waiting callers get an error.
func TestFetchThatPanics(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.client.Transport = transportFunc(func(*http.Request) (*http.Response, error) { panic("at the disco") })
		var wrong *Error
		_, err := w.find("ada", honest)
		require.ErrorAs(t, err, &wrong)
		require.ErrorContains(t, err, "at the disco")
		require.Empty(t, w.underWay)
	})
}

// A caller that can't use the cached document has it fetched again, at most
// once a minute. If that fails, the cached one stays.
func TestNewerDocumentIsFetchedOnceAMinute(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		newer := func() (string, bool, error) { return w.FindNewer(context.Background(), "ada", honest, mayFetch) }
		w.set(200, "max-age=86400")
		w.finds("ada", honest, 1)
		for range 100 {
			_, found, err := newer()
			require.NoError(t, err)
			require.False(t, found)
		}
		require.Equal(t, 1, w.asked[honest])
		w.passes(minFresh)
		w.isSlow("honest") // It is waited for, and not for half a second only.
		began := time.Now()
		_, _, err := newer()
		require.Error(t, err)
		require.Equal(t, fetchTimeout, time.Since(began))
		w.finds("ada", honest, 1) // after half a second
		w.passes(fetchTimeout)
		w.isSlow("nobody")
		got, found, err := newer()
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, fmt.Sprint(honest, " ", w.asked[honest]), got)
		_, found, err = newer()
		require.NoError(t, err)
		require.False(t, found)
		w.finds("ada", honest, w.asked[honest]) // It is good for a day.
	})
}
