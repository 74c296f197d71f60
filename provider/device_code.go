package provider

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"strings"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
)

// userCode is the code of eight letters that a user reads on a device and types
// on another one.
type userCode [8]byte

// userCodeLetters are consonants that are hard to confuse, so no code is a word
// (RFC 8628 section 6.1). Eight of them are 34 bits.
const userCodeLetters = "BCDFGHJKLMNPQRSTVWXZ"

// userCodeField is the parameter of the page with the code, and a field of its
// form.
const userCodeField = "user_code"

// newUserCode generates a random user code, with each letter equally likely.
func newUserCode() (c userCode) {
	var pool [16]byte
	for n := 0; n < len(c); {
		rand.Read(pool[:]) // It never fails; it would end the program.
		for _, b := range pool {
			// 240 is the greatest multiple of 20 that a byte holds.
			if b < 240 && n < len(c) {
				c[n] = userCodeLetters[b%20]
				n++
			}
		}
	}
	return c
}

// parseUserCode reads what a user typed, in any case, with hyphens and spaces
// anywhere. As RFC 8628 section 6.1 recommends, it ignores all characters that
// aren't letters of codes.
func parseUserCode(typed string) (c userCode, ok bool) {
	n := 0
	for _, r := range strings.ToUpper(typed) {
		if !strings.ContainsRune(userCodeLetters, r) {
			continue
		}
		if n == len(c) {
			return userCode{}, false
		}
		c[n] = byte(r)
		n++
	}
	return c, n == len(c)
}

// String returns the code as devices show it, such as "WDJB-MJHT".
func (c userCode) String() string { return string(c[:4]) + "-" + string(c[4:]) }

// hash returns the hash by which the device authorization is found.
func (c userCode) hash() rules.Hash {
	var padded rules.Secret
	copy(padded[:], c[:])
	return padded.Hash(rules.KindUserCode)
}

// grantSecret derives, from the device code c, the secret of the authorization
// code of the grant that is made if the user allows it. So its hash is known
// before there is a user and a grant, and only the device can redeem it.
func (c credential) grantSecret() (secret rules.Secret) {
	mac := hmac.New(sha256.New, c.secret[:])
	mac.Write([]byte("latchkey device grant\x00"))
	mac.Write(c.grantID[:])
	mac.Sum(secret[:0])
	return secret
}
