package simulate

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/latchkey-go/latchkey/provider"
)

// The strings that are tried from a copy of the database are tokens: with the
// bytes of a token that works, the result is that token.
func TestTokensOfACopyHaveTheFormOfTokens(t *testing.T) {
	s, err := Latchkey("", true, provider.Lifetimes{}).Make()
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.signIn()
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{c.access, c.refresh} {
		mark, payload := token[:4], token[4:]
		var raw []byte
		for ; len(payload) > 6; payload = payload[11:] {
			var n uint64
			for _, digit := range payload[:11] {
				n = n*62 + uint64(strings.IndexRune("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", digit))
			}
			raw = binary.BigEndian.AppendUint64(raw, n)
		}
		if got := tokenText(mark, raw); got != token {
			t.Errorf("%s is written as %s", token, got)
		}
	}
}
