// Package store is the contract between the provider and its database.
// Implement [Store] to write a backend:
//
//	type Backend struct{ db *DB }
//
//	func (b *Backend) FindClient(ctx context.Context, clientID string) (store.Application, error) {
//		app, err := b.db.find("client_id", clientID)
//		if errors.Is(err, errNoRow) {
//			return store.Application{}, store.ErrNotFound
//		}
//		return app, err
//	}
//
// The packages memory, sqlstore, and redisstore are ready backends. To write
// one, start from storetest/plain, a complete backend of about 250 lines, and
// test it with the suite in package storetest.
//
// A store keeps applications and documents. A [Document] is everything about
// one sign-in, one consent, or one waiting device, the signing keys, or a note
// that something was used that works once. The provider reads a document,
// decides, and replaces it if it hasn't changed meanwhile. So a backend
// contains no OAuth rules: it finds, compares, replaces, lists, and sweeps. Any
// database with conditional writes can do that.
//
// # What a backend never sees
//
// Codes, tokens, and client secrets reach a backend only as hashes, inside
// [Document].State or as a [SecretHash].
//
// # Rules for every method
//
// Reads are linearizable with writes: after a write has returned, every read
// that starts later, on any instance, sees it. A replica that lags behind must
// not serve reads.
//
// A missing record is [ErrNotFound]. Ending or deleting a missing record
// returns nil. Any error that is not declared in this package means that the
// backend failed, or can't tell whether the step happened. Each method is
// atomic, and may be called again after such an error.
//
// In an outage, return such an error, and never one that is declared here: the
// provider believes it, and would take a user's sign-in for missing. For any
// other error the provider answers 503, and signs no one out.
//
// Records are copies: changing a value that was passed in or returned doesn't
// change what is stored.
//
// Times are kept in UTC to the microsecond; [Micro] cuts them. A zero time
// means "never" or "none", as each field says.
//
// Texts are any valid UTF-8 without NUL. They come back byte for byte and are
// compared byte for byte. A backend must have room for IDs of 512 bytes, a
// State of 64 KiB, and other texts of 8 KiB. It refuses what it can't keep, and
// never truncates. An empty collection may come back as nil.
//
// Every method returns an error when its context ends. If a driver can't be
// interrupted, run the step in a goroutine and return ctx.Err(); the step may
// still happen. The provider runs writes under a context that doesn't end when
// the client hangs up.
//
// # Designing tables or keys
//
// Make each document one record with the ID as its primary key and State as
// binary. Replace is one conditional write: where the ID and the mark match and
// the document hasn't ended. If it changes no record, return ErrConflict.
// Because each write has another random mark, a driver may send it twice
// without harm. End must not compare marks, or a busy client could keep its
// grant from ending.
//
// Keep cut-offs in a second table: the three texts of a [CutKey], each of which
// may be empty, and a number. Don't join the texts with a separator, because two
// keys with different texts must never become equal. Use three columns, or a
// SHA-256 of the texts, each preceded by its length. The hash also works where
// an index can't hold three texts of 512 bytes.
//
// Find reads the document and the numbers of up to eight keys, which
// [CutKey.Covering] lists with their places in [Cuts]. A key without a number
// counts as zero. Read both in one step, or the document first.
//
// List needs an index by user, one by application, and one by workspace, each
// followed by the kind, CreatedAt, and the ID. Read Limit records from the
// cursor, drop those that have ended or whose Seen is exceeded ([Cuts.Exceed]),
// and return the place where you stopped. Don't read further to fill the page.
// Replace may change CreatedAt, SweepAt, and Seen, so it must move the entries
// of the indexes.
//
// Sweep needs an index by SweepAt. For a cut-off that is a day old, walk the
// list index of its user, or else of its application, from the oldest document,
// and delete those that haven't seen the number. Stop at documents created well
// after the cut-off, because they know it. If no document is left, delete the
// cut-off. Otherwise note that the walk is done, so that the next sweep doesn't
// repeat it.
package store

import (
	"context"
	"errors"
	"time"
)

// These errors are outcomes that a caller distinguishes with [errors.Is]. A
// backend returns them as they are or wrapped.
var (
	// ErrNotFound means that the record doesn't exist.
	ErrNotFound = errors.New("store: not found")
	// ErrExists means that a record with this ID exists already.
	ErrExists = errors.New("store: already exists")
	// ErrConflict means that the record was changed since it was read.
	ErrConflict = errors.New("store: changed since it was read")
)

// Store keeps everything that a provider stores. The two halves are
// independent: you can keep them in different places by embedding both in one
// struct, so a backend must not have a foreign key from documents to
// applications:
//
//	struct {
//		store.Applications
//		store.Documents
//	}
type Store interface {
	Applications
	Documents
}

// Volatile is an optional interface of a store that may forget its records,
// such as one in memory. Provider.Check calls it. If you compose a store and a
// part of it forgets, implement it, or embed the part.
type Volatile interface {
	// Forgets reports whether the records are gone when the process ends.
	Forgets() bool
}

// Applications stores applications, which OAuth 2.0 calls clients.
type Applications interface {
	// CreateApplication stores a new application with Version 1, ignoring
	// app.Version. It returns ErrExists if its ID or its ClientID is taken.
	CreateApplication(ctx context.Context, app Application) error

	// FindApplication finds an application by its ID, or returns ErrNotFound.
	FindApplication(ctx context.Context, id string) (Application, error)

	// FindClient finds an application by its ClientID, or returns ErrNotFound.
	FindClient(ctx context.Context, clientID string) (Application, error)

	// ListApplications returns one page of the applications that match q, and
	// the total number that match. An empty page is not an error.
	ListApplications(ctx context.Context, q ApplicationQuery) (page []Application, total int, err error)

	// UpdateApplication replaces the application with the same ID if its stored
	// version is app.Version, and stores it with Version+1. Of many concurrent
	// updates with the same Version exactly one succeeds. It returns ErrConflict
	// if the version has changed, and ErrNotFound if the application doesn't
	// exist. ID, ClientID, and CreatedAt never change; those of app are ignored.
	UpdateApplication(ctx context.Context, app Application) error

	// DeleteApplication deletes an application and nothing else; the provider
	// cuts its documents off.
	DeleteApplication(ctx context.Context, id string) error
}

// Documents stores documents and cut-offs.
type Documents interface {
	// Create stores a new document. It returns ErrExists if the ID is taken by a
	// document of any kind, ended or not.
	Create(ctx context.Context, d Document) error

	// Find returns the document with the ID, of any kind, even if it has ended
	// or is cut off, and the numbers of its cut-offs: those of every [CutKey]
	// that covers it. It returns ErrNotFound if there is none.
	//
	// It must read the numbers together with the document or after it, never
	// before.
	Find(ctx context.Context, id ID) (Document, Cuts, error)

	// FindConsent is Find for the document with the ID [ConsentID]. Because its
	// keys are known in advance, it returns the numbers even if the document
	// doesn't exist; then the document is zero and the error nil. userID may be
	// empty: the numbers are then those of a document without a user.
	FindConsent(ctx context.Context, userID, applicationID, workspaceID string) (Document, Cuts, error)

	// Replace replaces the document with the same ID if its stored mark is mark
	// and it has not ended. Otherwise, or if it doesn't exist, it returns
	// ErrConflict. Of many concurrent calls with the same mark exactly one
	// succeeds. Kind, UserID, ApplicationID, WorkspaceID, and EndedAt never
	// change; those of d are ignored. Everything else is taken from d, including
	// CreatedAt, which moves the document in lists.
	Replace(ctx context.Context, d Document, mark int64) error

	// End ends the document at the given time, with any mark, so that no
	// concurrent write can keep it from ending. It moves SweepAt to sweepAt if
	// that is earlier. Neither time is zero. A document that has already ended
	// keeps its times. If the document doesn't exist, End returns nil.
	End(ctx context.Context, id ID, at, sweepAt time.Time) error

	// CutOff sets the number of a key to the given number, or to one more than
	// the current number if that is greater, so it always grows. It is one
	// write, however many documents the key covers.
	CutOff(ctx context.Context, key CutKey, number int64) error

	// List returns one page of the documents that match q, newest first, and
	// where the next page begins. It leaves out documents that have ended or are
	// cut off.
	//
	// It examines at most q.Limit documents, so a page may be short or empty and
	// still have a next one. The last page returns a zero next.
	List(ctx context.Context, q Query) (page []Document, next Cursor, err error)

	// Sweep deletes at most limit unneeded records, and returns
	// how many it deleted:
	//
	//   - documents whose SweepAt is at or before the given time
	//   - documents that were cut off a day or more before that time
	//   - cut-offs that are a day or more old and cover no document
	//
	// Fewer than limit means that no more documents are due by their SweepAt;
	// the others may take several calls. A document that is cut off by a key
	// with neither a user nor an application may stay until its SweepAt.
	//
	// The age of a cut-off is before minus the [CutTime] of its number, so
	// cutting a key off again restarts its day. Each record is deleted
	// atomically, and a sweep may commit in batches. It may run during traffic
	// and on many instances at once. Records that another sweep is deleting
	// count as deleted. limit must be positive.
	Sweep(ctx context.Context, before time.Time, limit int) (int, error)
}
