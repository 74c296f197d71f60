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

// tokenFile keeps a sign-in between runs. Anyone who can read the file can act as
// the user, so only the user can. In production, use the system's keychain.
type tokenFile struct {
	path             string
	issuer, clientID string // whose token it is
}

// kept is the content of the file.
type kept struct {
	Issuer   string        `json:"issuer"`
	ClientID string        `json:"client_id"`
	Token    *oauth2.Token `json:"token"`
}

// newTokenFile returns the file that the user chose. By default, each provider
// and client ID has a separate file.
func newTokenFile(opts options) (tokenFile, error) {
	f := tokenFile{opts.tokenFile, opts.issuer, opts.clientID}
	if f.path == "" {
		dir, err := os.UserConfigDir()
		if err != nil {
			return f, fmt.Errorf("choose a file for the sign-in with -token-file: %w", err)
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
		return nil, fmt.Errorf("%s was not written by this program: delete it, or choose another file with -token-file", f.path)
	}
	// A token must only go to the provider that issued it.
	if k.Issuer != f.issuer || k.ClientID != f.clientID {
		return nil, fmt.Errorf("%s has a sign-in of %s at %s: choose another file with -token-file", f.path, k.ClientID, k.Issuer)
	}
	return k.Token, nil
}

// save replaces the token. It writes a temporary file and renames it, so that the
// file is always complete: the previous refresh token no longer works.
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
	defer os.Remove(aside.Name()) // After a successful rename, this does nothing.
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
