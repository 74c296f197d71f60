package main

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/oauth2"
)

// signInByDevice signs the user in with a browser on another device (RFC 8628).
// Use it on a machine without a browser, such as a server that you reach with
// ssh. The program prints an address and a code, and polls the provider every
// few seconds until the user has entered it.
func (c *client) signInByDevice(ctx context.Context) (*oauth2.Token, error) {
	if c.server.Device == "" {
		return nil, errors.New("this provider does not support the device flow: leave out -device")
	}
	if err := checkURL("device_authorization_endpoint", c.server.Device); err != nil {
		return nil, err
	}
	codes, err := c.oauth.DeviceAuth(c.talking(ctx))
	if err != nil {
		return nil, fmt.Errorf("the provider issued no code: %w", err)
	}
	fmt.Fprintf(c.stdout, "Sign in with a browser on any device. Go to\n  %s\nand enter the code\n  %s\n", codes.VerificationURI, codes.UserCode)
	if codes.VerificationURIComplete != "" {
		fmt.Fprintf(c.stdout, "This address already contains the code. Check that the page shows the same one:\n  %s\n", codes.VerificationURIComplete)
	}
	waiting, cancel := context.WithTimeoutCause(ctx, c.timeout, fmt.Errorf("no one signed in within %s: run the program again", c.timeout))
	defer cancel()
	token, err := c.oauth.DeviceAccessToken(c.talking(waiting), codes)
	var refusal *oauth2.RetrieveError
	errors.As(err, &refusal)
	switch {
	case err == nil:
		return token, c.file.save(token)
	case ctx.Err() != nil:
		return nil, errors.New("stopped before you signed in")
	case waiting.Err() != nil:
		return nil, context.Cause(waiting)
	case refusal != nil && refusal.ErrorCode == "access_denied":
		return nil, errors.New("you didn't allow access, so you are not signed in")
	case refusal != nil && refusal.ErrorCode == "expired_token", errors.Is(err, context.DeadlineExceeded):
		return nil, errors.New("the code expired before you entered it: run the program again")
	}
	return nil, fmt.Errorf("the provider issued no token: %w", err)
}
