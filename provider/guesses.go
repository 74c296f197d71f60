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
	// one who began first is forgotten, so a user who wants to be forgotten needs
	// as many accounts, and each of those has separate guesses anyway.
	maxGuessers = 10_000
)

// guesses counts the wrong user codes that users enter. It is in memory: what
// it holds is small and short-lived, and a host with many instances, each of
// which counts for itself, has Config.Limit.
type guesses struct {
	mu     sync.Mutex
	byUser map[[sha256.Size]byte]*list.Element
	began  *list.List // of *guesser, who began first in front
}

type guesser struct {
	user  [sha256.Size]byte // the id's hash, as ids can be long
	began time.Time
	count int
}

func newGuesses() *guesses {
	return &guesses{byUser: map[[sha256.Size]byte]*list.Element{}, began: list.New()}
}

// take counts a guess of the user and returns zero, or how long the user has to
// wait for the next. It comes before it is known whether the code is wrong, so
// that those that come at once are counted too; giveBack takes it back.
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

// giveBack forgets a guess that was none, as the code was right.
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
