package main

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// client is a client to import.
type client struct {
	provider.ApplicationSettings

	ClientID   string
	SecretHash store.SecretHash

	secret  string   // in plain text, if the source has it
	refused []string // why it can't be imported
	notes   []string // which features it loses
}

func (c *client) refuse(format string, args ...any) {
	c.refused = append(c.refused, fmt.Sprintf(format, args...))
}

func (c *client) note(format string, args ...any) {
	c.notes = append(c.notes, fmt.Sprintf(format, args...))
}

// hashSecret hashes a secret that the source has in plain text. It may not be
// random, so it needs a slow hash, like a password.
func hashSecret(secret string) (store.SecretHash, error) {
	hash, err := bcrypt.GenerateFromPassword([]byte(secret), bcrypt.DefaultCost)
	if errors.Is(err, bcrypt.ErrPasswordTooLong) {
		return store.SecretHash{}, errors.New("its secret is longer than 72 bytes, the limit of bcrypt: remove it from the file, and the client gets a new one")
	}
	if err != nil {
		return store.SecretHash{}, err
	}
	return store.ParseSecretHash(string(hash))
}

// offeredScopes returns the scopes of the text, except those that Latchkey doesn't
// store with an application.
func offeredScopes(c *client, text string) scopes.Set {
	var kept scopes.Set // If nothing is left, nil stands for the default scopes.
	for _, name := range strings.Fields(text) {
		switch name {
		case "openid":
			c.note("openid: ID tokens need Config.OpenID; without it, the client can read /oauth/userinfo")
		case "offline_access", "offline": // Clients always get refresh tokens.
		default:
			kept = append(kept, name)
		}
	}
	return kept
}
