package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The SDK's client goes from an address to a tool's result.
func TestSignIn(t *testing.T) {
	w := newWorld(t)
	a := w.agent("ada", w.registered())
	require.Equal(t, notesOfAda, a.titles())
	t.Log(w.requested(), a.asked, a.consent, w.happened())
	a.addNote("x")
	require.Equal(t, append(notesOfAda, "x"), a.titles())
	t.Log(w.requested(), a.asked, a.consent, w.happened())
}
