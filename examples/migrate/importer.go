package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
)

// migrate reads the file and imports the clients.
func migrate(ctx context.Context, o options, stdout io.Writer) (err error) {
	data, err := os.ReadFile(o.file)
	if err != nil {
		return err
	}
	clients, err := sources[o.from](data)
	if err != nil {
		return fmt.Errorf("%s is not in the format of %s: %w", o.file, o.from, err)
	}
	if err := addSecrets(clients, o.secrets); err != nil {
		return err
	}
	im := importer{dryRun: o.dryRun, out: stdout}
	if o.store != "" {
		kept, closeStore, err := openStore(ctx, o.store, o.dryRun)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, closeStore()) }()
		if im.target, err = newProvider(kept, o); err != nil {
			return err
		}
	}
	if o.dryRun {
		// A provider in memory makes the same checks as the real import.
		if im.rehearsal, err = newProvider(memory.New(), o); err != nil {
			return err
		}
	}
	return im.importAll(ctx, clients)
}

// addSecrets adds the secrets from the file of -secrets.
func addSecrets(clients []client, file string) error {
	if file == "" {
		return nil
	}
	secrets := map[string]string{}
	text, err := os.ReadFile(file) //nolint:gosec // It's the user's own file.
	if err == nil {
		err = json.Unmarshal(text, &secrets)
	}
	if err != nil {
		return fmt.Errorf("-secrets %s: %w", file, err)
	}
	for i := range clients {
		if known := secrets[clients[i].ClientID]; known != "" {
			clients[i].secret, clients[i].SecretHash = known, store.SecretHash{}
		}
	}
	return nil
}

// importer imports clients into the store of a provider.
type importer struct {
	target    *provider.Provider // nil in a dry run without -store
	rehearsal *provider.Provider // where a dry run creates the clients
	dryRun    bool
	out       io.Writer
}

// importAll imports all clients that it can. It returns an error if it can't
// import one of them, or if the store fails.
func (im *importer) importAll(ctx context.Context, clients []client) error {
	imported, exist, refused := 0, 0, 0
	for _, c := range clients {
		reasons, secret, err := im.importOne(ctx, c)
		if err != nil {
			return err
		}
		switch {
		case len(reasons) > 0:
			refused++
			fmt.Fprintf(im.out, "%s (%s): NOT imported\n", c.ClientID, c.Name)
			for _, reason := range reasons {
				fmt.Fprintf(im.out, "  - %s\n", reason)
			}
		case secret == nil:
			exist++
			fmt.Fprintf(im.out, "%s (%s): exists, skipped\n", c.ClientID, c.Name)
		default:
			imported++
			im.report(c, *secret)
		}
	}
	summary := "%d imported, %d skipped, %d not imported\n"
	if im.dryRun {
		summary = "%d would be imported, %d skipped, %d can't be imported\n"
	}
	fmt.Fprintf(im.out, summary, imported, exist, refused)
	if refused > 0 {
		return fmt.Errorf("%d of %d clients can't be imported", refused, len(clients))
	}
	return nil
}

// report prints the outcome for a client that was imported.
func (im *importer) report(c client, secret provider.Secret) {
	did := "imported"
	if im.dryRun {
		did = "would be imported"
	}
	fmt.Fprintf(im.out, "%s (%s): %s\n", c.ClientID, c.Name, did)
	switch {
	case secret.IsZero():
	case im.dryRun:
		fmt.Fprintln(im.out, "  - would get a new secret, because the old one is unknown")
	default:
		fmt.Fprintf(im.out, "  - new secret, shown only now: %s\n", secret.Reveal())
	}
	for _, note := range c.notes {
		fmt.Fprintf(im.out, "  - note: %s\n", note)
	}
}

// importOne returns why it can't import the client. Otherwise it returns the new
// secret, which is empty if the client keeps its own, and nil if the client
// exists.
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
		return nil, nil, nil // Another run created it, or the file lists it twice.
	case err != nil:
		return nil, nil, err
	}
	var secret provider.Secret
	if !c.Public && c.SecretHash.IsZero() {
		secret, err = into.AddSecret(ctx, app.ID, time.Time{})
		if err != nil { // Delete it, so that the next run imports it again.
			return nil, nil, errors.Join(err, into.DeleteApplication(ctx, app.ID))
		}
	}
	return nil, &secret, nil
}
