package provider

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"strings"
	"time"
)

// newApplicationID makes an ID in Clerk's format: "oa_" and a KSUID, which is a
// time and 128 random bits in 27 base62 digits, so IDs sort by time.
func newApplicationID(now time.Time) string {
	const epoch = 1_400_000_000 // KSUID's, in Unix seconds
	var raw [20]byte
	binary.BigEndian.PutUint32(raw[:4], uint32(now.Unix()-epoch)) // wraps around in 2150
	rand.Read(raw[4:])                                            // It never fails; it would end the program.
	digits := make([]byte, 27)
	n, base, digit := new(big.Int).SetBytes(raw[:]), big.NewInt(62), new(big.Int)
	for i := len(digits) - 1; i >= 0; i-- {
		n.DivMod(n, base, digit)
		digits[i] = base62[digit.Int64()]
	}
	return "oa_" + string(digits)
}

// isClientID reports whether an imported client ID can be used in a header, a
// form, and a log.
func isClientID(id string) bool {
	return id != "" && len(id) <= maxClientID && strings.Trim(id, base62+"-._~:/@") == ""
}

// documentMark starts the IDs of applications that are known by a document. No
// other ID starts with it, because every KSUID is less than "aWgEPTl1".
const documentMark = "oa_doc"

// documentApplicationID derives an application's ID from the URL of its
// document, so two instances that save it at the same time use the same ID.
func documentApplicationID(clientID string) string {
	sum := sha256.Sum256([]byte("latchkey client document\x00" + clientID))
	return documentMark + string(appendBase62(nil, sum[:24]))[:24]
}

// isDocumentApplication reports whether the ID belongs to an application with a
// document, which may come back after it was deleted.
func isDocumentApplication(id string) bool { return strings.HasPrefix(id, documentMark) }
