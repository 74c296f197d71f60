package provider

import (
	"crypto/rand"
	"encoding/binary"
	"hash/crc32"
	"strings"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/store"
)

// A credential is a code or a token: the id of its grant or, for a device code,
// of its device authorization, which is no secret, and 256 bits that are. As text it is
//
//	prefix "oat_" base62(grant id, secret) base62(CRC-32 of all before)
//
// with only letters, digits and underscores, so that it survives every header,
// form and shell and one double click selects it. The checksum lets a scanner
// tell a leaked token from a random text, and a mistyped one costs no lookup.
type credential struct {
	grantID store.ID
	secret  rules.Secret
}

// newCredential draws a credential of the grant at random.
func newCredential(id store.ID) credential { return credential{id, rules.NewSecret()} }

const (
	blockBytes    = 8  // what is turned into
	blockDigits   = 11 // this many base62 digits
	payloadDigits = (16 + 32) / blockBytes * blockDigits
	checkDigits   = 6
)

// marks tell the kinds apart in the text. The access token's is Clerk's.
var marks = map[rules.Kind]string{
	rules.KindCode:    "oac_",
	rules.KindAccess:  "oat_",
	rules.KindRefresh: "ort_",
	rules.KindDevice:  "odc_",
}

// A tokenPrefix is Config.TokenPrefix, which goes in front of each credential's
// text.
type tokenPrefix string

// encode writes the credential as text.
func (p tokenPrefix) encode(kind rules.Kind, c credential) string {
	var raw [48]byte
	copy(raw[:16], c.grantID[:])
	copy(raw[16:], c.secret[:])
	text := append(make([]byte, 0, maxTokenPrefix+4+payloadDigits+checkDigits), p...)
	text = append(text, marks[kind]...)
	text = appendBase62(text, raw[:])
	return string(appendDigits(text, uint64(crc32.ChecksumIEEE(text)), checkDigits))
}

// decode reads what encode wrote for this kind and nothing else.
func (p tokenPrefix) decode(kind rules.Kind, text string) (c credential, ok bool) {
	payload, ok := strings.CutPrefix(text, string(p))
	if !ok {
		return c, false
	}
	payload, ok = strings.CutPrefix(payload, marks[kind])
	if !ok || len(payload) != payloadDigits+checkDigits {
		return c, false
	}
	sum, ok := parseDigits(payload[payloadDigits:])
	if !ok || sum != uint64(crc32.ChecksumIEEE([]byte(text[:len(text)-checkDigits]))) {
		return c, false
	}
	var raw [48]byte
	for i := range len(raw) / blockBytes {
		block, ok := parseDigits(payload[i*blockDigits : (i+1)*blockDigits])
		if !ok {
			return c, false
		}
		binary.BigEndian.PutUint64(raw[i*blockBytes:], block)
	}
	copy(c.grantID[:], raw[:16])
	copy(c.secret[:], raw[16:])
	return c, true
}

// base62 is in the order of ASCII, so that encoded ids sort like their bytes.
const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// digitOf is the value of each character in base62, or noDigit.
var digitOf = func() (values [256]byte) {
	for c := range values {
		values[c] = noDigit
	}
	for value := range base62 {
		values[base62[value]] = byte(value)
	}
	return values
}()

const noDigit = 0xff

// appendBase62 appends raw, whose length is a multiple of 8, in base62.
func appendBase62(text, raw []byte) []byte {
	for ; len(raw) >= blockBytes; raw = raw[blockBytes:] {
		text = appendDigits(text, binary.BigEndian.Uint64(raw), blockDigits)
	}
	return text
}

// appendDigits appends n in base62 with exactly the given number of digits.
func appendDigits(text []byte, n uint64, digits int) []byte {
	end := len(text) + digits
	for range digits {
		text = append(text, '0')
	}
	for i := end - 1; n > 0; i-- {
		text[i] = base62[n%62]
		n /= 62
	}
	return text
}

// parseDigits reads a base62 number that fits into 64 bits.
func parseDigits(text string) (n uint64, ok bool) {
	const most = ^uint64(0) / 62 // of what still fits when it is multiplied
	for i := range len(text) {
		digit := uint64(digitOf[text[i]])
		next := n*62 + digit
		if digit == noDigit || n > most || next < digit {
			return 0, false
		}
		n = next
	}
	return n, true
}

// randomText returns n random letters and digits, each of the 62 equally
// likely: 43 of them are 256 bits.
func randomText(n int) string {
	text := make([]byte, 0, n)
	var pool [64]byte
	for len(text) < n {
		rand.Read(pool[:]) // Never fails: it would end the program.
		for _, b := range pool {
			// 248 is the greatest multiple of 62 that a byte holds: taking
			// more would make the first digits likelier.
			if b < 248 && len(text) < n {
				text = append(text, base62[b%62])
			}
		}
	}
	return string(text)
}
