package provider

import (
	"container/list"
	"crypto/sha256"
	"sync"
	"time"
)

const (
	// maxGuesses is how many wrong user codes a user may enter within
	// guessWindow of the first.
	maxGuesses  = 10
	guessWindow = 10 * time.Minute

	// maxGuessers is how many users are counted at a time. With one more, the
	// user who started first is forgotten. To be forgotten an attacker needs as
	// many accounts, and each of those has its guesses anyway.
	maxGuessers = 10_000
)

// guesses counts the wrong user codes that users enter. It is in memory,
// because the data is small and short-lived. Each instance counts for itself; a
// host with many instances has Config.Limit.
type guesses struct {
	mu     sync.Mutex
	byUser map[[sha256.Size]byte]*list.Element
	began  *list.List // of *guesser, the first to start in front
}

type guesser struct {
	user  [sha256.Size]byte // the hash of the ID, because IDs can be long
	began time.Time
	count int
}

func newGuesses() *guesses {
	return &guesses{byUser: map[[sha256.Size]byte]*list.Element{}, began: list.New()}
}

// take counts a guess of the user and returns zero, or how long the user must
// wait for the next one. It counts before the code is checked, so parallel
// guesses count too; giveBack undoes it.
func (g *guesses) take(userID string, now time.Time) (wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for e := g.began.Front(); e != nil && now.Sub(e.Value.(*guesser).began) >= guessWindow; e = g.began.Front() {
		g.forget(e)
	}
	user := sha256.Sum256([]byte(userID))
	e := g.byUser[user]
	if e == nil {
		if g.began.Len() == maxGuessers {
			g.forget(g.began.Front())
		}
		e = g.began.PushBack(&guesser{user: user, began: now})
		g.byUser[user] = e
	}
	who := e.Value.(*guesser)
	if who.count == maxGuesses {
		return guessWindow - now.Sub(who.began)
	}
	who.count++
	return 0
}

// giveBack removes a guess that take counted, because the code was right.
func (g *guesses) giveBack(userID string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e := g.byUser[sha256.Sum256([]byte(userID))]
	if e == nil {
		return
	}
	if who := e.Value.(*guesser); who.count > 1 {
		who.count--
	} else {
		g.forget(e)
	}
}

func (g *guesses) forget(e *list.Element) {
	delete(g.byUser, e.Value.(*guesser).user)
	g.began.Remove(e)
}
