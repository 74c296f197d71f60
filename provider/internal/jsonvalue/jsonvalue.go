// Package jsonvalue inspects encoded JSON values.
package jsonvalue

import (
	"encoding/json"
	"slices"
)

// HasNull reports whether raw is an array with a null in it, which package json
// would decode as an empty string.
func HasNull(raw json.RawMessage) bool {
	var entries []any
	return json.Unmarshal(raw, &entries) == nil && slices.Contains(entries, nil)
}

// TypeOf returns the name of a JSON value's type for an error message.
func TypeOf(raw json.RawMessage) string {
	switch raw[0] {
	case '"':
		return "string"
	case '{':
		return "object"
	case '[':
		return "array"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	}
	return "number"
}
