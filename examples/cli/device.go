package main

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/oauth2"
)

// signInByDevice signs the user in with a browser on another device (RFC 8628):
// for a program on a machine that has none, such as a server that is reached by
// ssh. The program says where to go and which code to enter, and asks the
// provider every few seconds whether that was done.
func (c *client) signInByDevice(ctx context.Context) (*oauth2.Token, error) {
	if c.server.Device == "" {
		return nil, errors.New("this provider offers no sign-in by another device: leave out -device")
	}
	if err := checkURL("device_authorization_endpoint", c.server.Device); err != nil {
		return nil, err
	}
	codes, err := c.oauth.DeviceAuth(c.talking(ctx))
	if err != nil {
		return nil, fmt.Errorf("the provider gave no code: %w", err)
	}
	fmt.Fprintf(c.stdout, "Sign in with a browser on any device. Go to\n  %s\nand enter the code\n  %s\n", codes.VerificationURI, codes.UserCode)
	if codes.VerificationURIComplete != "" {
		fmt.Fprintf(c.stdout, "This address has the code in it already, and the page must show the same one:\n  %s\n", codes.VerificationURIComplete)
	}
	waiting, cancel := context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("nobody signed in within %s: run the program again", c.timeout))
	defer cancel()
	token, err := c.oauth.DeviceAccessToken(c.talking(waiting), codes)
	var refusal *oauth2.RetrieveError
	errors.As(err, &refusal)
	switch {
	case err == nil:
		return token, c.file.save(token)
	case ctx.Err() != nil:
		return nil, errors.New("stopped before anybody signed in")
	case waiting.Err() != nil:
		return nil, context.Cause(waiting)
	case refusal != nil && refusal.ErrorCode == "access_denied":
		return nil, errors.New("you did not allow it, so nobody is signed in")
	case refusal != nil && refusal.ErrorCode == "expired_token", errors.Is(err, context.DeadlineExceeded):
		return nil, errors.New("nobody entered the code while it was good: run the program again")
	}
	return nil, fmt.Errorf("the provider gave no token: %w", err)
}
