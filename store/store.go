// Package store is the contract between the provider and the database that
// keeps its records. A backend implements [Store]; package storetest holds the
// suite that every backend passes, and its example is a complete backend in
// about 250 lines to start from.
//
// A store keeps two things: applications, and documents. A [Document] is
// everything about one sign-in, one consent, or one waiting device, the signing
// keys, or a note that something has happened that may happen once. The provider
// reads a document, decides, and replaces it if nobody else has
// changed it meanwhile. So a backend holds no OAuth rules: it finds, compares,
// replaces, lists, and sweeps, and any database that can replace a record
// conditionally can do that.
//
// # What a backend never sees
//
// Codes, tokens, and client secrets reach a backend only as hashes, inside
// [Document].State or as a [SecretHash].
//
// # Rules for every method
//
// Reads are linearizable with writes: once a write has returned, every read
// that starts afterwards, on any instance, sees it. A replica that lags behind
// must not serve reads.
//
// A missing record is [ErrNotFound]. Ending or deleting a missing record
// returns nil. Any error that is not declared in this package means that the
// backend couldn't do the step, or can't tell whether it did. Each method is
// atomic, and may be called again after such an error.
//
// Records are copies: changing what was passed in or returned changes nothing
// that is kept.
//
// Times are kept in UTC to the microsecond; [Micro] cuts them. A zero time
// means "never" or "none", as each field says.
//
// Texts are any valid UTF-8 without NUL. They come back byte for byte and are
// compared byte for byte. A backend has room for IDs of at least 512 bytes, for
// a State of at least 64 KiB, and for other texts of at least 8 KiB. It refuses
// what it can't keep, and never truncates. Whether an empty collection comes
// back as nil is not specified.
//
// Every method returns an error when its context ends. If a driver can't be
// interrupted, run the step in a goroutine and return ctx.Err(); the step may
// still happen. The provider runs writes under a context that doesn't end when
// the client hangs up.
package store

import (
	"context"
	"errors"
	"time"
)

// The outcomes that a caller tells apart with [errors.Is]. A backend returns
// them as they are or wrapped.
var (
	// ErrNotFound means that the record doesn't exist.
	ErrNotFound = errors.New("store: not found")
	// ErrExists means that a record with this ID exists already.
	ErrExists = errors.New("store: already exists")
	// ErrConflict means that the record was changed since it was read.
	ErrConflict = errors.New("store: changed since it was read")
)

// Store is everything that a provider needs kept. The two halves don't depend
// on each other: a host may keep them in different places by embedding both in
// one struct,
//
//	struct {
//		store.Applications
//		store.Documents
//	}
//
// so a backend has no foreign key from documents to applications.
type Store interface {
	Applications
	Documents
}

// Volatile is an optional interface of a store that may forget, such as one
// that keeps its records in memory. The provider's Check reads it. A host that
// composes its store embeds it, or implements it, where a part forgets.
type Volatile interface {
	// Forgets reports whether the records are gone when the process ends.
	Forgets() bool
}

// Applications keeps the applications that may ask for access: OAuth 2.0 calls
// them clients.
type Applications interface {
	// CreateApplication keeps a new application with Version 1, whatever app
	// says. It returns ErrExists if its ID or its ClientID is taken.
	CreateApplication(ctx context.Context, app Application) error

	// FindApplication finds an application by its ID, or returns ErrNotFound.
	FindApplication(ctx context.Context, id string) (Application, error)

	// FindClient finds an application by its ClientID, or returns ErrNotFound.
	FindClient(ctx context.Context, clientID string) (Application, error)

	// ListApplications returns one page of the applications that match q and
	// the number of all that match. An empty page is not an error.
	ListApplications(ctx context.Context, q ApplicationQuery) (page []Application, total int, err error)

	// UpdateApplication replaces the application of the same ID if the kept
	// one still has app.Version, and keeps it with Version+1. Of many that race
	// with the same Version exactly one succeeds. It returns ErrConflict if the
	// version has moved on, and ErrNotFound if there is no such application.
	// ID, ClientID, and CreatedAt never change, whatever app says.
	UpdateApplication(ctx context.Context, app Application) error

	// DeleteApplication removes an application, and nothing else: the provider
	// cuts its documents off.
	DeleteApplication(ctx context.Context, id string) error
}

// Documents keeps documents and cut-offs.
type Documents interface {
	// Create keeps a new document. It returns ErrExists if the ID is taken, by
	// a document of any kind, ended or not.
	Create(ctx context.Context, d Document) error

	// Find returns the document with the ID, whatever its kind and however it
	// ended, and the numbers of its cut-offs: those of every [CutKey] that
	// covers it. It returns ErrNotFound if there is none.
	//
	// The numbers are read together with the document or after it, never
	// before it.
	Find(ctx context.Context, id ID) (Document, Cuts, error)

	// FindConsent is Find for the document of [ConsentID], whose keys are known
	// before it is found: it returns the numbers even if the document doesn't
	// exist. Then the document is zero and the error nil. userID may be empty: the
	// numbers are then those that a document about no user has.
	FindConsent(ctx context.Context, userID, applicationID, workspaceID string) (Document, Cuts, error)

	// Replace replaces the document of the same ID if the kept one still has
	// the mark and has not ended, and returns ErrConflict otherwise, also if it
	// doesn't exist. Of many that race with the same mark exactly one succeeds.
	// Kind, UserID, ApplicationID, and WorkspaceID never change, and EndedAt is
	// End's to set, whatever d says. Everything else becomes what d says,
	// CreatedAt too: a list then has the document at its new place.
	Replace(ctx context.Context, d Document, mark int64) error

	// End ends the document at the time, whatever its mark: nothing that
	// happens to it meanwhile can keep it from ending. It moves SweepAt to
	// sweepAt if that is earlier. Neither time is zero. A document that has
	// ended before keeps its times. It returns nil if the document doesn't exist.
	End(ctx context.Context, id ID, at, sweepAt time.Time) error

	// CutOff sets the number of a key to the number given, or to one more than
	// it is now if that is greater, so that it always grows. It is one write,
	// however many documents the key covers.
	CutOff(ctx context.Context, key CutKey, number int64) error

	// List returns one page of the documents that match q, newest first, and
	// where the next page begins. It leaves out documents that have ended or
	// are cut off.
	//
	// It examines at most q.Limit documents, so a page may be short, or empty,
	// and still have a next one. The list is at its end when next is zero.
	List(ctx context.Context, q Query) (page []Document, next Cursor, err error)

	// Sweep removes what is no longer needed, at most limit records, and
	// returns how many it removed. It removes
	//
	//   - documents whose SweepAt is before or at the time,
	//   - documents that were cut off a day or more before the time, and
	//   - cut-offs that are a day or more old and that cover no document.
	//
	// Fewer than limit means that no document is due by its SweepAt any more.
	// The others may take several calls. What is cut off by a key that names
	// neither a user nor an application may stay until its SweepAt.
	//
	// A cut-off is as old as before minus [CutTime] of its number, so cutting a
	// key off again starts its day anew. Each record is removed atomically, and
	// a sweep may commit in batches. It may run during traffic and on many
	// instances at once. What another sweep is removing counts as removed.
	// limit must be positive.
	Sweep(ctx context.Context, before time.Time, limit int) (int, error)
}
