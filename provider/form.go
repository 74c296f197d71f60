package provider

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/store"
)

// Forms are sealed. A form that was forged, altered, left over from another
// user's session, or sent before is refused. The server keeps nothing: a cookie
// in the browser has the key of the seal and the numbers of the answered forms.
//
// A form's number is the ID of the grant that it may lead to, and the code of
// that grant is derived from the key. So a form that is sent twice before the
// browser has the first answer, because of a double click, gets the same
// answer, and no form makes two grants, even if the cookie is lost.

// sealField is the hidden field that holds the seal.
const sealField = "seal"

// decisionField is the field with the user's decision: "allow" or "deny".
const decisionField = "decision"

// consentFields are all fields of a form that asks the user to decide.
var consentFields = []string{requestField, decisionField, grantedField, workspaceParam, sealField}

// formLifetime is how long a page with a form may stay open.
const formLifetime = time.Hour

const (
	formKeySize    = 32
	formNumberSize = 8 // the part of the ID that differs between any two forms

	// formCookieLifetime is longer than formLifetime, so a late form is
	// recognized as late.
	formCookieLifetime = 24 * time.Hour

	// maxAnswered is how many numbers of answered forms the cookie holds. After
	// that, the key is replaced, and forms that are still open become invalid.
	maxAnswered = 24
)

// form is a form that was sent with a valid seal.
type form struct {
	id     store.ID
	cookie formCookie
}

// formCookie is the content of the cookie.
type formCookie struct {
	key      []byte
	answered [][]byte
}

func newFormCookie() formCookie {
	c := formCookie{key: make([]byte, formKeySize)}
	rand.Read(c.key) // It never fails; it would end the program.
	return c
}

// formCookieName returns the name of the cookie. Because of its prefix, a
// browser doesn't let a subdomain or plain http set it.
func (c *call) formCookieName() string {
	if c.secure() {
		return "__Host-latchkey_form"
	}
	return "latchkey_form"
}

func (c *call) readFormCookie() (kept formCookie, err error) {
	cookie, err := c.r.Cookie(c.formCookieName())
	if err != nil {
		return kept, fmt.Errorf("the cookie %s was not sent: the browser blocks it, something between here and the browser removes it, or the page was opened under another host name", c.formCookieName())
	}
	content, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil || len(content) < formKeySize || (len(content)-formKeySize)%formNumberSize != 0 {
		return kept, errors.New("the form cookie is malformed")
	}
	kept.key = content[:formKeySize:formKeySize]
	kept.answered = slices.Collect(slices.Chunk(content[formKeySize:], formNumberSize))
	return kept, nil
}

// writeFormCookie sets the cookie. It is SameSite=Lax, because a visitor who
// comes from an application must send it, or each page would replace the last
// one's key.
func (c *call) writeFormCookie(kept formCookie) {
	content := slices.Concat(append([][]byte{kept.key}, kept.answered...)...)
	http.SetCookie(c.w, &http.Cookie{
		Name: c.formCookieName(), Value: base64.RawURLEncoding.EncodeToString(content), Path: "/", MaxAge: int(formCookieLifetime / time.Second),
		HttpOnly: true, Secure: c.secure(), SameSite: http.SameSiteLaxMode,
	})
}

// sealForm returns the seal of a form for the user, valid only for the given
// parts. If the browser has no key yet, it sets one.
func (c *call) sealForm(userID string, parts ...string) string {
	cookie, err := c.readFormCookie()
	if err != nil {
		cookie = newFormCookie()
	}
	c.writeFormCookie(cookie)
	id := store.NewID(c.now(), userID)
	return base64.RawURLEncoding.EncodeToString(append(id[:], sealOf(cookie.key, id, parts)...))
}

// sealOf returns the seal of a form, or another value that depends on the
// browser's key.
func sealOf(key []byte, id store.ID, parts []string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(id[:])
	for _, part := range parts {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		mac.Write([]byte(part))
	}
	return mac.Sum(nil)
}

// openForm checks the seal of a form that was sent. If the error is
// errAnswered, it returns the form too.
func (c *call) openForm(seal string, parts ...string) (*form, *Error) {
	if err := c.csrf.Check(c.r); err != nil {
		return nil, errStaleForm(err)
	}
	cookie, err := c.readFormCookie()
	if err != nil {
		return nil, &Error{Code: codeInvalidRequest, Status: http.StatusForbidden, reason: pages.ReasonNoCookies, Err: err,
			Description: "The form came without the cookie that its page set."}
	}
	f := &form{cookie: cookie}
	content, err := base64.RawURLEncoding.DecodeString(seal)
	if err != nil || len(content) != len(f.id)+sha256.Size {
		return nil, errStaleForm(errors.New("the form's seal is missing or malformed"))
	}
	copy(f.id[:], content)
	if !hmac.Equal(content[len(f.id):], sealOf(cookie.key, f.id, parts)) {
		return nil, errStaleForm(errors.New("the form's seal does not match its content, its user, or this browser"))
	}
	if c.now().Sub(f.shown()) > formLifetime {
		return nil, errStaleForm(errors.New("the form is too old"))
	}
	if f.answered() {
		return f, errStaleForm(errAnswered)
	}
	return f, nil
}

// shown returns when the form was made, to the millisecond, from its ID.
func (f *form) shown() time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(f.id[:8]) >> 16))
}

func (f *form) number() []byte { return f.id[6 : 6+formNumberSize] }

// answered reports whether the browser knows that the form was answered.
func (f *form) answered() bool {
	return slices.ContainsFunc(f.cookie.answered, func(n []byte) bool { return bytes.Equal(n, f.number()) })
}

// code returns the authorization code that answers the form.
func (f *form) code() credential {
	return credential{f.id, rules.Secret(sealOf(f.cookie.key, f.id, []string{"code"}))}
}

// answerForm records in the cookie that the form was answered. Call it before
// writing the answer. If the answer fails, the form can be sent again.
func (c *call) answerForm(f *form) {
	if f.answered() {
		return
	}
	if len(f.cookie.answered) >= maxAnswered {
		f.cookie = newFormCookie()
	} else {
		f.cookie.answered = append(f.cookie.answered, f.number())
	}
	c.writeFormCookie(f.cookie)
}

// sealNotice returns the part of the address that makes the page show a notice
// about an application. It is sealed, so a link can't fake a notice.
func sealNotice(c formCookie, what, userID, id string) string {
	seal := sealOf(c.key, store.ID{}, []string{what, userID, id})
	return base64.RawURLEncoding.EncodeToString(seal[:16]) + id
}

// openNotice returns the application of a notice, or "" if there is none or it
// is a different one.
func (c *call) openNotice(what, userID, text string) string {
	cookie, err := c.readFormCookie()
	const sealSize = 22 // 16 bytes in base64
	if err != nil || len(text) <= sealSize {
		return ""
	}
	if id := text[sealSize:]; hmac.Equal([]byte(text), []byte(sealNotice(cookie, what, userID, id))) {
		return id
	}
	return ""
}

// errAnswered means that the browser already has the answer to the form. The
// form may still be visible while an application is slow, or after a native
// application took the answer, so it isn't the visitor's fault.
var errAnswered = errors.New("the form was answered before")
