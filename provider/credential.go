package provider

import (
	"encoding/binary"
	"hash/crc32"
	"strings"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/store"
)

// A credential is a code or a token: an ID and 256 secret bits. The ID is that
// of its grant or, for a device code, of its device authorization, and isn't
// secret. As text it is
//
//	prefix "oat_" base62(grant id, secret) base62(CRC-32 of all before)
//
// with only letters, digits, and underscores, so it needs no escaping in
// headers, forms, and shells, and a double click selects it. With the checksum
// a scanner can tell a leaked token from random text, and a mistyped one costs
// no lookup.
type credential struct {
	grantID store.ID
	secret  rules.Secret
}

// newCredential generates a random credential of the grant.
func newCredential(id store.ID) credential { return credential{id, rules.NewSecret()} }

const (
	payloadDigits = (16 + 32) / blockBytes * blockDigits
	checkDigits   = 6
)

// marks tell the kinds apart in the text. Clerk uses the same for access
// tokens.
var marks = map[rules.Kind]string{
	rules.KindCode:    "oac_",
	rules.KindAccess:  "oat_",
	rules.KindRefresh: "ort_",
	rules.KindDevice:  "odc_",
}

// A tokenPrefix is Config.TokenPrefix, which starts the text of each
// credential.
type tokenPrefix string

const maxTokenPrefix = 32

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

// decode reads what encode wrote for the kind, and rejects everything else.
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
