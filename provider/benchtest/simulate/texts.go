package simulate

import (
	"reflect"
	"regexp"
	"unsafe"
)

// tokenLike matches what could be a token (RFC 6750 section 2.1) and is too
// long to guess.
var tokenLike = regexp.MustCompile(`[A-Za-z0-9._~+/=-]{16,}`)

// Texts returns everything that looks like a token in a value and in everything
// that it refers to, exported or not, such as a store in memory.
func Texts(value any) (found []string) {
	type place struct {
		at unsafe.Pointer
		of reflect.Type
	}
	seen := map[place]bool{}
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			found = append(found, tokenLike.FindAllString(v.String(), -1)...)
		case reflect.Pointer:
			here := place{v.UnsafePointer(), v.Type()}
			if !v.IsNil() && !seen[here] {
				seen[here] = true
				walk(v.Elem())
			}
		case reflect.Interface:
			if !v.IsNil() {
				walk(v.Elem())
			}
		case reflect.Struct:
			for i := range v.NumField() {
				walk(v.Field(i))
			}
		case reflect.Map:
			for entries := v.MapRange(); entries.Next(); {
				walk(entries.Key())
				walk(entries.Value())
			}
		case reflect.Slice, reflect.Array:
			if v.Type().Elem().Kind() == reflect.Uint8 {
				text := make([]byte, v.Len())
				for i := range text {
					text[i] = byte(v.Index(i).Uint())
				}
				found = append(found, tokenLike.FindAllString(string(text), -1)...)
				return
			}
			for i := range v.Len() {
				walk(v.Index(i))
			}
		}
	}
	walk(reflect.ValueOf(value))
	return found
}
