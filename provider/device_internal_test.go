package provider

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
)

func TestUserCodesAreRandom(t *testing.T) {
	counts := map[byte]int{}
	for range 40_000 {
		for _, b := range newUserCode() {
			counts[b]++
		}
	}
	require.Len(t, counts, len(userCodeLetters))
	for letter, n := range counts {
		// 320,000 draws of 20: 16,000 each, with a deviation of 123.
		require.InDelta(t, 16000, n, 700, "%c", letter)
	}
}

func FuzzUserCode(f *testing.F) {
	for _, seed := range []string{"", "WDJB-MJHT", "wdjbmjht", "WDJB MJHT W", "\xff", strings.Repeat("B", 9), "ſ", "K"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		c, ok := parseUserCode(typed)
		if !ok {
			return
		}
		for _, b := range c {
			require.Contains(t, userCodeLetters, string(b))
		}
		again, ok := parseUserCode(c.String())
		require.True(t, ok)
		require.Equal(t, c, again)
	})
}

// The code of the grant is derived from the secret of the device code, so that
// neither the database nor the user code leads to it.
func TestGrantCodeIsDerivedFromTheDeviceCode(t *testing.T) {
	c := newCredential(rules.DeviceID(newUserCode().hash()))
	other := newCredential(c.grantID)
	require.Equal(t, c.grantSecret(), c.grantSecret())
	require.NotEqual(t, c.secret, c.grantSecret())
	require.NotEqual(t, c.grantSecret(), other.grantSecret())
	other.secret = c.secret
	other.grantID[0]++
	require.NotEqual(t, c.grantSecret(), other.grantSecret())
	access, refresh := c.secret.Successors(c.grantID, rules.Salt{}, nil)
	require.NotEqual(t, c.grantSecret(), access)
	require.NotEqual(t, c.grantSecret(), refresh)
}

// The memory for guesses is bounded for any number of users, and the latest
// ones are known.
func TestGuessersAreBounded(t *testing.T) {
	g, now := newGuesses(), time.Now()
	user := func(i int) string { return fmt.Sprint("user_", i) }
	for i := range maxGuessers + 100 {
		for range maxGuesses {
			require.Zero(t, g.take(user(i), now))
		}
		require.Equal(t, guessWindow, g.take(user(i), now))
	}
	require.Equal(t, maxGuessers, g.began.Len())
	require.Len(t, g.byUser, maxGuessers)
	require.NotZero(t, g.take(user(100), now))
	require.Zero(t, g.take(user(0), now), "the first is forgotten")
	g.giveBack(user(1)) // One that is forgotten as well.
	require.Len(t, g.byUser, maxGuessers)

	require.Equal(t, time.Second, g.take(user(500), now.Add(guessWindow-time.Second)))
	require.Zero(t, g.take(user(500), now.Add(guessWindow)))
	require.Equal(t, 1, g.began.Len(), "what is over is forgotten")
	g.giveBack(user(500))
	require.Zero(t, g.began.Len())
	require.Empty(t, g.byUser)
}
