package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
)

// client is one that is to be brought over.
type client struct {
	provider.ApplicationSettings

	ClientID   string
	SecretHash store.SecretHash

	secret  string   // in the clear, where the source has it so
	refused []string // why it cannot be brought over
	notes   []string // what it did elsewhere and cannot do here
}

func (c *client) refuse(format string, args ...any) {
	c.refused = append(c.refused, fmt.Sprintf(format, args...))
}

func (c *client) note(format string, args ...any) {
	c.notes = append(c.notes, fmt.Sprintf(format, args...))
}

// importer brings clients into the store of a provider.
type importer struct {
	target    *provider.Provider // nil: there is none, in a dry run
	rehearsal *provider.Provider // where a dry run creates; it is thrown away
	dryRun    bool
	out       io.Writer
}

// newRehearsal makes a provider in memory, so that a dry run goes through the
// very checks of the run that follows.
func newRehearsal(o options) (*provider.Provider, error) { return newProvider(memory.New(), o) }

// importAll brings over all clients that can be, and reports whether that was
// all of them. An error is one of the store.
func (im *importer) importAll(ctx context.Context, clients []client) (complete bool, err error) {
	imported, there, refused := 0, 0, 0
	for _, c := range clients {
		outcome, made, err := im.importOne(ctx, c)
		if err != nil {
			return false, err
		}
		switch {
		case len(outcome) > 0:
			refused++
			fmt.Fprintf(im.out, "%s (%s): NOT imported\n", c.ClientID, c.Name)
			for _, reason := range outcome {
				fmt.Fprintf(im.out, "  - %s\n", reason)
			}
			continue
		case made == nil:
			there++
			fmt.Fprintf(im.out, "%s (%s): is there already, and was left alone\n", c.ClientID, c.Name)
			continue
		}
		imported++
		did := "imported"
		if im.dryRun {
			did = "would be imported"
		}
		fmt.Fprintf(im.out, "%s (%s): %s\n", c.ClientID, c.Name, did)
		switch {
		case made.IsZero():
		case im.dryRun:
			fmt.Fprintln(im.out, "  - would get a new secret, as its own is not known")
		default:
			fmt.Fprintf(im.out, "  - its new secret, shown this once: %s\n", made.Reveal())
		}
		for _, note := range c.notes {
			fmt.Fprintf(im.out, "  - note: %s\n", note)
		}
	}
	fmt.Fprintf(im.out, "%d imported, %d there already, %d not imported\n", imported, there, refused)
	return refused == 0, nil
}

// importOne returns why the client was not imported, or the secret that was
// made for it. That is nil if the client is there already.
func (im *importer) importOne(ctx context.Context, c client) (refused []string, made *provider.Secret, err error) {
	if im.target != nil && c.ClientID != "" {
		_, err := im.target.FindClient(ctx, c.ClientID)
		if err == nil {
			return nil, nil, nil
		}
		if !errors.Is(err, store.ErrNotFound) {
			return nil, nil, err
		}
	}
	refused = c.refused
	if c.ClientID == "" {
		refused = append(refused, "it has no client_id")
	}
	if c.secret != "" && !c.Public {
		if c.SecretHash, err = hashSecret(c.secret); err != nil {
			refused = append(refused, err.Error())
		}
	}
	if len(refused) > 0 {
		return refused, nil, nil
	}
	into := im.target
	if im.dryRun {
		into = im.rehearsal
	}
	app, err := into.ImportApplication(ctx, c.ClientID, c.ApplicationSettings, c.SecretHash)
	var wrong provider.FieldErrors
	switch {
	case errors.As(err, &wrong):
		for _, field := range wrong {
			refused = append(refused, field.Message)
		}
		return refused, nil, nil
	case errors.Is(err, store.ErrExists):
		return nil, nil, nil // Another run was faster, or the file has it twice.
	case err != nil:
		return nil, nil, err
	}
	var secret provider.Secret
	if !c.Public && c.SecretHash.IsZero() {
		secret, err = into.AddSecret(ctx, app.ID, time.Time{})
		if err != nil { // The next run is to import it again.
			return nil, nil, errors.Join(err, into.DeleteApplication(ctx, app.ID))
		}
	}
	return nil, &secret, nil
}

// hashSecret hashes a secret that was kept in the clear. Nobody knows whether
// it is random, so it gets the slow hash that passwords get.
func hashSecret(secret string) (store.SecretHash, error) {
	hash, err := bcrypt.GenerateFromPassword([]byte(secret), bcrypt.DefaultCost)
	if errors.Is(err, bcrypt.ErrPasswordTooLong) {
		return store.SecretHash{}, errors.New("its secret is longer than the 72 bytes that bcrypt takes: take it out of the file, and it gets a new one")
	}
	if err != nil {
		return store.SecretHash{}, err
	}
	return store.ParseSecretHash(string(hash))
}

// offeredScopes leaves out what is accepted everywhere and granted nowhere, and
// puts single spaces between the others.
func offeredScopes(c *client, text string) scopes.Set {
	var kept scopes.Set // nil, if nothing is left: the default
	for _, name := range strings.Fields(text) {
		switch name {
		case "openid":
			c.note("openid: there are no ID tokens here; it may go on asking for the scope, and reads /oauth/userinfo")
		case "offline_access", "offline": // Refresh tokens are always given.
		default:
			kept = append(kept, name)
		}
	}
	return kept
}
