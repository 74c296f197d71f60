// Package jsonvalue looks at JSON values that have not been decoded.
package jsonvalue

import (
	"encoding/json"
	"slices"
)

// HasNull reports whether raw is an array with a null in it, which package
// json would read as an empty string.
func HasNull(raw json.RawMessage) bool {
	var entries []any
	return json.Unmarshal(raw, &entries) == nil && slices.Contains(entries, nil)
}

// TypeOf returns what a JSON value is called in an error.
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
