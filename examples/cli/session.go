package main

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// whoami prints who is signed in. If no one is, it signs the user in first.
func whoami(ctx context.Context, opts options, stdout io.Writer) error {
	c, err := newClient(ctx, opts, stdout)
	if err != nil {
		return err
	}
	token, err := c.file.load()
	if err != nil {
		return err
	}
	var user *user
	if token != nil {
		user, err = c.userInfo(ctx, token)
	}
	if token == nil || errors.Is(err, errSignedOut) {
		if token, err = c.signIn(ctx); err != nil {
			return err
		}
		user, err = c.userInfo(ctx, token)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "You are signed in as %s. The sign-in is kept in %s\n", user, c.file.path)
	return nil
}

// logout ends the sign-in. It deletes the file last, so that you can try again if
// revoking fails.
func logout(ctx context.Context, opts options, stdout io.Writer) error {
	c, err := newClient(ctx, opts, stdout)
	if err != nil {
		return err
	}
	token, err := c.file.load()
	if err != nil {
		return err
	}
	if token == nil {
		fmt.Fprintln(stdout, "You are not signed in.")
		return nil
	}
	if err := c.revoke(ctx, token); err != nil {
		return err
	}
	if err := c.file.remove(); err != nil {
		return err
	}
	fmt.Fprintln(stdout, "You are signed out.")
	return nil
}
