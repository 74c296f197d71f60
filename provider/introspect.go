package provider

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/userinfo"
)

// IntrospectHandler serves the introspection endpoint (RFC 7662). Applications
// can introspect their own tokens; resource servers that Config.Introspection
// allows can introspect any. A token that the caller may not see is answered
// like an unknown one. The sub of a machine's token is "client:" followed by
// its client_id, which is never a user's ID.
func (p *Provider) IntrospectHandler() http.Handler {
	return p.handler(endpoint{name: endpointIntrospect, methods: []string{http.MethodPost}, serve: (*call).serveIntrospect, refuse: (*call).writeError})
}

// introspection is the answer of RFC 7662 section 2.2.
type introspection struct {
	Active    bool   `json:"active"`
	Scope     string `json:"scope,omitempty"`
	ClientID  string `json:"client_id,omitempty"`
	TokenType string `json:"token_type,omitempty"` // only for an access token
	ExpiresAt int64  `json:"exp,omitempty"`        // Unix seconds
	IssuedAt  int64  `json:"iat,omitempty"`
	Subject   string `json:"sub,omitempty"`
	Issuer    string `json:"iss,omitempty"`
	Audience  string `json:"aud,omitempty"` // the resource; empty if for the host's whole API
	Workspace string `json:"workspace_id,omitempty"`
}

func (c *call) serveIntrospect() *Error {
	answer, e := c.introspect()
	if e == nil {
		writeJSON(c.w, http.StatusOK, answer)
	}
	return e
}

func (c *call) introspect() (answer *introspection, e *Error) {
	form, e := readForm(c.w, c.r, c.offer.forms.question.single)
	if e != nil {
		return nil, e
	}
	var asker store.Application
	var refused error // why Config.Introspection refused
	if c.cfg.Introspection != nil {
		refused = c.cfg.Introspection(c.r)
	}
	anyToken := c.cfg.Introspection != nil && refused == nil
	if anyToken {
		e = c.limit("")
	} else {
		asker, e = c.client(form)
		if e != nil && e.Code == codeInvalidClient && e.Err == nil && refused != nil {
			// The caller is probably a resource server: its operator needs to
			// know why its key was refused.
			e = e.because(fmt.Errorf("Config.Introspection: %w", refused))
		}
	}
	switch {
	case e != nil:
		return nil, e
	case form.Get("token") == "":
		return nil, refuse(codeInvalidRequest, "The parameter token is missing.")
	case !anyToken && asker.Public:
		// RFC 7662 section 2.1 requires authorization, and anyone can claim the
		// ID of a public client.
		return nil, invalidClient("A public client cannot introspect tokens.")
	}
	token, e := c.findLive(form.Get("token"), rules.KindAccess, rules.KindRefresh)
	switch {
	case e != nil && errors.Is(e, ErrInvalidToken):
		return &introspection{}, nil
	case e != nil:
		return nil, e
	case !anyToken && token.applicationID != asker.ID:
		return &introspection{}, nil
	}
	subject := token.userID
	if !token.machine() {
		if _, err := c.user(c.context(), token.userID); errors.Is(err, userinfo.ErrNotFound) {
			return &introspection{}, nil
		} else if err != nil {
			return nil, unavailable("Config.Users", err)
		}
	}
	if err := c.checkMember(c.context(), token.userID, token.workspaceID); errors.Is(err, errNotMember) {
		return &introspection{}, nil
	} else if err != nil {
		return nil, unavailable("Config.Workspaces", err)
	}
	if anyToken {
		var err error
		asker, err = c.records.findApplication(c.context(), token.applicationID)
		if errors.Is(err, store.ErrNotFound) {
			return &introspection{}, nil
		} else if err != nil {
			return nil, unavailable("store", err)
		}
	}
	if token.machine() {
		subject = machineSubject + asker.ClientID
	}
	answer = &introspection{
		Active: true, Scope: token.scopes.String(), ClientID: asker.ClientID, Subject: subject, Issuer: c.cfg.Issuer,
		ExpiresAt: token.expiresAt.Unix(), IssuedAt: token.issuedAt.Unix(), Audience: token.resource, Workspace: token.workspaceID,
	}
	if token.kind == rules.KindAccess {
		answer.TokenType = tokenType
	}
	return answer, nil
}

// BearerKey returns a function that accepts a request if its Authorization
// header has one of the keys as a Bearer token. Use it as Config.Introspection.
// Its error wraps [ErrInvalidToken]. While you rotate a key, pass both the old
// and the new one. A key should be random and have at least 32 characters;
// [Provider.Check] can tell whether it does. Keys are compared in constant
// time. BearerKey panics without a key or with an empty one, which would let
// everyone through.
func BearerKey(keys ...string) func(r *http.Request) error {
	sums := make([][sha256.Size]byte, 0, len(keys))
	for _, key := range keys {
		if key == "" {
			panic("provider: BearerKey: a key is empty: check where it is read from")
		}
		sums = append(sums, sha256.Sum256([]byte(key)))
	}
	if len(sums) == 0 {
		panic("provider: BearerKey: no key given: pass at least one")
	}
	return func(r *http.Request) error {
		values := r.Header.Values("Authorization")
		if len(values) != 1 {
			return fmt.Errorf("%w: no bearer key", ErrInvalidToken)
		}
		scheme, presented, _ := strings.Cut(values[0], " ")
		sum := sha256.Sum256([]byte(presented))
		same := 0
		for _, want := range sums {
			same |= subtle.ConstantTimeCompare(sum[:], want[:])
		}
		if !strings.EqualFold(scheme, "Bearer") || same != 1 {
			return fmt.Errorf("%w: wrong bearer key", ErrInvalidToken)
		}
		return nil
	}
}
