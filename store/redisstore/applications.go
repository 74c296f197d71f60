package redisstore

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// separator joins the parts of an application, as lua/application.lua has them.
// It occurs in no UTF-8.
const separator = "\xff"

const applicationParts = 8

const hexTimeSize = 16

// hexTime is lexTime in hexadecimal, which never contains the separator.
func hexTime(t time.Time) string { return fmt.Sprintf("%x", lexTime(t)) }

// applicationRecord returns the stored form of an application. The last part is
// the application as JSON. The parts before it are for the scripts, and the
// fields that never change are read from them.
func applicationRecord(app store.Application, version int64) (string, error) {
	if err := app.Check(); err != nil {
		return "", err
	}
	app = app.Micro().Revealed()
	text, err := json.Marshal(app)
	if err != nil {
		return "", fmt.Errorf("redisstore: %w", err)
	}
	// The attempt must not contain the separator.
	return strings.Join([]string{
		fmt.Sprintf("%x", newAttempt()), strconv.FormatInt(version, 10), app.ClientID, hexTime(app.CreatedAt), hexTime(app.UpdatedAt),
		app.OwnerID, string(app.Origin), string(text),
	}, separator), nil
}

// parseApplication reads an application.
func parseApplication(id, kept string) (app store.Application, err error) {
	parts := strings.SplitN(kept, separator, applicationParts)
	if len(parts) < applicationParts {
		return store.Application{}, fmt.Errorf("%w: an application", errDamaged)
	}
	if err = json.Unmarshal([]byte(parts[applicationParts-1]), &app); err != nil {
		return store.Application{}, fmt.Errorf("%w: an application: %w", errDamaged, err)
	}
	app.ID, app.ClientID = id, parts[2]
	var created []byte
	if app.Version, err = strconv.ParseInt(parts[1], 10, 64); err == nil {
		_, err = fmt.Sscanf(parts[3], "%x", &created)
	}
	r := &reader{left: string(created)}
	app.CreatedAt = r.time()
	if err != nil || r.damaged {
		return store.Application{}, fmt.Errorf("%w: an application", errDamaged)
	}
	return app, nil
}

func (s *Store) applicationKeys() []string {
	return []string{s.keys.inApplications("records"), s.keys.inApplications("clients")}
}

// CreateApplication implements [store.Applications]. Like each step on one
// application, it takes one round trip.
func (s *Store) CreateApplication(ctx context.Context, app store.Application) error {
	record, err := applicationRecord(app, 1)
	if err != nil {
		return err
	}
	return outcome(s.run(ctx, s.scripts.createApplication, s.applicationKeys(), app.ID, record))
}

// outcome returns the error for a script's answer.
func outcome(answer any, err error) error {
	switch answer {
	case "exists":
		return store.ErrExists
	case "not found":
		return store.ErrNotFound
	case "conflict":
		return store.ErrConflict
	}
	return err
}

// FindApplication implements [store.Applications].
func (s *Store) FindApplication(ctx context.Context, id string) (store.Application, error) {
	commands, err := s.exec(ctx, func(p pipe) { p.Do(ctx, "hget", s.keys.inApplications("records"), id) })
	if err != nil {
		return store.Application{}, err
	}
	kept, ok := answer(commands[0]).(string)
	if !ok {
		return store.Application{}, store.ErrNotFound
	}
	return parseApplication(id, kept)
}

// FindClient implements [store.Applications].
func (s *Store) FindClient(ctx context.Context, clientID string) (store.Application, error) {
	answer, err := s.run(ctx, s.scripts.findClient, s.applicationKeys(), clientID)
	if err != nil {
		return store.Application{}, err
	}
	parts, ok := answer.([]any)
	if !ok || len(parts) != 2 {
		return store.Application{}, store.ErrNotFound
	}
	id, _ := parts[0].(string)
	kept, _ := parts[1].(string)
	return parseApplication(id, kept)
}

// UpdateApplication implements [store.Applications].
func (s *Store) UpdateApplication(ctx context.Context, app store.Application) error {
	record, err := applicationRecord(app, app.Version+1)
	if err != nil {
		return err
	}
	return outcome(s.run(ctx, s.scripts.updateApplication, s.applicationKeys(), app.ID, strconv.FormatInt(app.Version, 10), record))
}

// DeleteApplication implements [store.Applications].
func (s *Store) DeleteApplication(ctx context.Context, id string) error {
	return outcome(s.run(ctx, s.scripts.deleteApplication, s.applicationKeys(), id))
}
