package provider

import (
	"crypto/rand"
	"encoding/binary"
)

// base62 lists the digits in ASCII order, so encoded IDs sort like their bytes.
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

// Bytes are encoded in blocks of 8.
const (
	blockBytes  = 8
	blockDigits = 11
)

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
	const most = ^uint64(0) / 62 // the most that can be multiplied by 62 without overflow
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
		rand.Read(pool[:]) // It never fails; it would end the program.
		for _, b := range pool {
			// 248 is the greatest multiple of 62 in a byte. Larger values would
			// make the first digits more likely.
			if b < 248 && len(text) < n {
				text = append(text, base62[b%62])
			}
		}
	}
	return string(text)
}
