package simulate

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/latchkey-go/latchkey/provider"
)

// What is tried from a copy of the database has the form of a token: made of the
// bytes of a token that works, it is that token.
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
