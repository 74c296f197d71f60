package simulate

import (
	"context"
	"encoding/binary"
	"hash/crc32"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/benchtest"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
)

// Latchkey is this library's provider, for a public or a confidential client, with
// these lifetimes.
func Latchkey(settings string, public bool, lifetimes provider.Lifetimes) Contender {
	const name = "Latchkey"
	return Contender{name, settings, func() (*Server, error) {
		kept := memory.New()
		stack, err := benchtest.NewLatchkeyFor(name, kept, provider.ApplicationSettings{Public: public},
			func(c *provider.Config) { c.Lifetimes = lifetimes })
		if err != nil {
			return nil, err
		}
		return &Server{Stack: stack, Copy: func() ([]string, error) { return copyOf(kept, stack.ClientID) }}, nil
	}}
}

// copyOf returns the strings in a store, and tokens that are built from the
// newest twenty grants of an application.
func copyOf(kept *memory.Store, clientID string) ([]string, error) {
	ctx := context.Background()
	app, err := kept.FindClient(ctx, clientID)
	if err != nil {
		return nil, err
	}
	found := Texts(kept)
	page, _, err := kept.List(ctx, store.Query{Kind: store.KindGrant, ApplicationID: app.ID, Limit: 20})
	for _, d := range page {
		found = append(found, tokensOf(d)...)
	}
	return found, err
}

// tokensOf returns an access token and a refresh token for each 32 consecutive
// bytes in the state of the document.
func tokensOf(d store.Document) (tokens []string) {
	const secretBytes = 32
	for i := range max(0, len(d.State)-secretBytes+1) {
		raw := append(d.ID[:], d.State[i:i+secretBytes]...)
		tokens = append(tokens, tokenText("oat_", raw), tokenText("ort_", raw))
	}
	return tokens
}

// tokenText encodes the ID of a grant and a secret as a token: see "A token's
// text" in docs/concepts/architecture.md.
func tokenText(mark string, raw []byte) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	text := []byte(mark)
	number := func(n uint64, width int) {
		at := len(text) + width
		text = append(text, make([]byte, width)...)
		for i := at - 1; i >= at-width; i-- {
			text[i] = digits[n%62]
			n /= 62
		}
	}
	for ; len(raw) >= 8; raw = raw[8:] {
		number(binary.BigEndian.Uint64(raw), 11)
	}
	number(uint64(crc32.ChecksumIEEE(text)), 6)
	return string(text)
}
