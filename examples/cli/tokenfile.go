package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/oauth2"
)

// tokenFile keeps a sign-in from one run to the next. Whoever can read the file
// can act as the user, so nobody else can. A program that is used for more than
// trying things out would rather use the system's keychain.
type tokenFile struct {
	path             string
	issuer, clientID string // whose token it is
}

// kept is what is in the file.
type kept struct {
	Issuer   string        `json:"issuer"`
	ClientID string        `json:"client_id"`
	Token    *oauth2.Token `json:"token"`
}

// newTokenFile says where the sign-in is kept. Unless the user chose a file, each
// provider and client id has one of its own.
func newTokenFile(opts options) (tokenFile, error) {
	f := tokenFile{opts.tokenFile, opts.issuer, opts.clientID}
	if f.path == "" {
		dir, err := os.UserConfigDir()
		if err != nil {
			return f, fmt.Errorf("say where to keep the sign-in by -token-file: %w", err)
		}
		sum := sha256.Sum256([]byte(opts.issuer + " " + opts.clientID))
		f.path = filepath.Join(dir, "latchkey-cli", hex.EncodeToString(sum[:8])+".json")
	}
	return f, nil
}

// load returns the token, or nil if there is none.
func (f tokenFile) load() (*oauth2.Token, error) {
	content, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var k kept
	if err := json.Unmarshal(content, &k); err != nil || k.Token == nil {
		return nil, fmt.Errorf("%s is not a file that this program wrote: delete it, or choose another with -token-file", f.path)
	}
	// A token goes to nobody but the provider that it came from.
	if k.Issuer != f.issuer || k.ClientID != f.clientID {
		return nil, fmt.Errorf("%s keeps a sign-in of %s with %s: choose another file with -token-file", f.path, k.ClientID, k.Issuer)
	}
	return k.Token, nil
}

// save puts the token in place of the one before. The file is written aside and
// then renamed, so that at every moment there is a whole one: the refresh token
// that was there before is worth nothing any more.
func (f tokenFile) save(token *oauth2.Token) error {
	content, err := json.MarshalIndent(kept{f.issuer, f.clientID, token}, "", "\t")
	if err != nil {
		return err
	}
	dir := filepath.Dir(f.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	aside, err := os.CreateTemp(dir, "token-*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(aside.Name()) // It is gone if all went well.
	_, err = aside.Write(content)
	err = errors.Join(err, aside.Sync(), aside.Close())
	if err != nil {
		return err
	}
	return os.Rename(aside.Name(), f.path)
}

// remove deletes the file.
func (f tokenFile) remove() error {
	err := os.Remove(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
