package provider

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/userinfo"
)

// idToken are the claims of an ID token (OpenID Connect Core section 2).
type idToken struct {
	Issuer     string   `json:"iss"`
	Subject    string   `json:"sub"`
	Audience   string   `json:"aud"`
	ExpiresAt  int64    `json:"exp"`
	IssuedAt   int64    `json:"iat"`
	AuthTime   int64    `json:"auth_time,omitempty"`
	Nonce      string   `json:"nonce,omitempty"`
	ACR        string   `json:"acr,omitempty"`
	AMR        []string `json:"amr,omitempty"`
	Session    string   `json:"sid,omitempty"`
	AccessHash string   `json:"at_hash,omitempty"`
	Workspace  string   `json:"workspace_id,omitempty"`

	userinfo.Claims
}

// defaultIDTokenAlg is what applications expect unless they ask for another one
// (OpenID Connect Core section 15.1, Dynamic Client Registration section 2).
const defaultIDTokenAlg = "RS256"

// idTokenAlg returns the algorithm that signs the application's ID tokens. If
// the application's choice is no longer offered, it returns one that is.
func (c *call) idTokenAlg(app *store.Application) string {
	offered := c.cfg.Keys.Algorithms()
	for _, alg := range []string{app.IDTokenAlg, defaultIDTokenAlg} {
		if slices.Contains(offered, alg) {
			return alg
		}
	}
	return offered[0]
}

// An issuedGrant is the input for an ID token: a grant, and the access token
// that is issued with it.
type issuedGrant struct {
	userID      string
	workspaceID string
	scopes      scopes.Set // of the access token
	signIn      rules.SignIn
	access      string
	first       bool // for the code, not for a refresh
}

// idToken makes the ID token of a grant, or returns "" if the grant has none.
// Call it before the first write, so that nothing is spent if signing fails.
func (c *call) idToken(app *store.Application, g issuedGrant, user *userinfo.User) (string, *Error) {
	if c.cfg.OpenID == nil || !g.scopes.Has(openID) {
		return "", nil
	}
	now := c.now()
	alg := c.idTokenAlg(app)
	claims := idToken{
		Issuer: c.cfg.Issuer, Subject: g.userID, Audience: app.ClientID,
		IssuedAt: now.Unix(), ExpiresAt: now.Add(c.cfg.OpenID.IDTokenLifetime).Unix(),
		ACR: g.signIn.ACR, AMR: strings.Fields(g.signIn.AMR), Session: g.signIn.Session, AccessHash: accessHash(alg, g.access), Workspace: g.workspaceID,
	}
	if g.first { // A refresh should not return it (Core section 12.2).
		claims.Nonce = g.signIn.Nonce
	}
	if g.signIn.At != 0 {
		claims.AuthTime = g.signIn.At.Time().Unix()
	}
	if user == nil && tellsOfUser(g.scopes) {
		found, e := c.userStillThere(c.context(), g.userID)
		if e != nil {
			return "", e
		}
		user = &found
	}
	if user != nil {
		claims.Claims = user.Document(c.cfg.InstanceID, g.scopes).Claims
	}
	content, err := json.Marshal(claims)
	if err == nil {
		var token string
		if token, err = c.cfg.Keys.Sign(c.context(), alg, content); err == nil {
			return token, nil
		}
	}
	return "", unavailable("Config.Keys", err)
}

// accessHash returns the at_hash of an access token (Core section 3.1.3.6):
// half of its hash with the hash function of the algorithm, which is SHA-512
// for Ed25519.
func accessHash(alg, access string) string {
	if alg == "EdDSA" {
		sum := sha512.Sum512([]byte(access))
		return base64.RawURLEncoding.EncodeToString(sum[:32])
	}
	sum := sha256.Sum256([]byte(access))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// ownIDToken reads an ID token that this provider issued, even an expired one.
// The error is for the log.
func (c *call) ownIDToken(text string) (token idToken, err error) {
	content, err := c.cfg.Keys.Verify(c.context(), text)
	if err == nil {
		err = json.Unmarshal(content, &token)
	}
	switch {
	case err != nil:
		return idToken{}, fmt.Errorf("Config.Keys: %w", err)
	case token.Issuer != c.cfg.Issuer:
		return idToken{}, errors.New("it is from another issuer")
	case token.Subject == "" || token.Audience == "":
		return idToken{}, errors.New("it has no sub or no aud")
	}
	return token, nil
}
