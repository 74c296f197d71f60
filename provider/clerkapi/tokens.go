package clerkapi

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// revokeToken revokes the whole grant of one of the application's tokens.
func (a *api) revokeToken(w http.ResponseWriter, r *http.Request) (any, error) {
	app, err := a.application(r)
	if err != nil {
		return nil, err
	}
	text, err := readTokenParam(w, r, true, "token")
	if err != nil {
		return nil, err
	}
	found, err := a.lookUp(r, text)
	if err != nil {
		return nil, err
	}
	if found.ApplicationID != app.ID {
		return nil, errResourceNotFound("No token of this application was found.")
	}
	return nil, a.p.RevokeGrants(r.Context(), provider.GrantFilter{ID: found.GrantID})
}

// token is an access token as Clerk returns it. Its times are in Unix seconds,
// unlike those of applications.
type token struct {
	Object           string     `json:"object"`
	ID               string     `json:"id"` // identifies the token without revealing it
	ClientID         string     `json:"client_id"`
	Subject          string     `json:"subject"`
	Scopes           scopes.Set `json:"scopes"`
	Revoked          bool       `json:"revoked"`
	RevocationReason *string    `json:"revocation_reason"`
	Expired          bool       `json:"expired"`
	Expiration       int64      `json:"expiration"`
	CreatedAt        int64      `json:"created_at"`
	UpdatedAt        int64      `json:"updated_at"`
}

// verifyToken describes an access token, even one that no longer works.
func (a *api) verifyToken(w http.ResponseWriter, r *http.Request) (any, error) {
	text, err := readTokenParam(w, r, false, "access_token", "secret") // the second is the deprecated name
	if err != nil {
		return nil, err
	}
	found, err := a.lookUp(r, text)
	if err != nil {
		return nil, err
	}
	app, err := a.p.FindApplication(r.Context(), found.ApplicationID)
	// The answer has no audience, so the caller would accept a token for
	// another API. It also can't describe tokens without a user.
	if found.Refresh || found.Resource != "" || found.Machine() || errors.Is(err, store.ErrNotFound) {
		return nil, errResourceNotFound("No access token was found.")
	} else if err != nil {
		return nil, err
	}
	reason := ""
	switch {
	case found.Revoked:
		reason = "The sign-in was revoked."
	case found.UserGone:
		reason = "The user no longer exists."
	}
	return token{
		Object:           "clerk_idp_oauth_access_token",
		ID:               tokenID(text),
		ClientID:         app.ClientID,
		Subject:          found.UserID,
		Scopes:           append(scopes.Set{}, found.Scopes...),
		Revoked:          reason != "",
		RevocationReason: nullable(reason),
		Expired:          found.Expired,
		Expiration:       found.ExpiresAt.Unix(),
		CreatedAt:        found.IssuedAt.Unix(),
		UpdatedAt:        found.IssuedAt.Unix(),
	}, nil
}

// tokenID identifies a token without revealing it: it is half of a hash of a
// secret that can't be guessed.
func tokenID(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "oat_" + hex.EncodeToString(sum[:16])
}

// lookUp finds a token, even one that no longer works.
func (a *api) lookUp(r *http.Request, text string) (provider.FoundToken, error) {
	found, err := a.p.LookupToken(r.Context(), text)
	if errors.Is(err, store.ErrNotFound) {
		err = errResourceNotFound("No token was found.")
	}
	return found, err
}

// readTokenParam reads the one parameter of a body, under its name or its old
// name.
func readTokenParam(w http.ResponseWriter, r *http.Request, strict bool, names ...string) (string, error) {
	object, err := readObject(w, r)
	if err != nil {
		return "", err
	}
	var text *string
	var problems []problem
	for _, name := range names {
		var given *string
		problems = append(problems, decodeParam(object, name, "string", &given)...)
		if text == nil {
			text = given
		}
	}
	if strict {
		problems = append(problems, unknownParams(object)...)
	}
	if len(problems) == 0 && value(text) == "" {
		problems = append(problems, paramError("form_param_missing", names[0], "is missing", names[0]+" must be included."))
	}
	return value(text), unprocessable(problems)
}
