package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"runtime"
	"time"
)

// loopback is the redirect URI: a server on this machine, on a free port, for one
// response (RFC 8252 section 7.3). It uses an IP address because "localhost" can
// resolve to another machine.
type loopback struct {
	listener    net.Listener
	redirectURI string
}

func newLoopback(ctx context.Context) (*loopback, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &loopback{l, "http://" + l.Addr().String() + "/callback"}, nil
}

// answer waits for the provider's response to the request with the given state.
func (l *loopback) answer(ctx context.Context, state string) (url.Values, error) {
	answers := make(chan url.Values, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /callback", func(w http.ResponseWriter, r *http.Request) {
		answer := r.URL.Query()
		// Any program on this machine and any page in the browser can call this
		// address. Ignore requests with another state, and keep waiting.
		if answer.Get("state") != state {
			writePage(w, http.StatusBadRequest, "This response belongs to another sign-in, so it was ignored.")
			return
		}
		select {
		case answers <- answer:
		default: // The first one counts.
		}
		writePage(w, http.StatusOK, "You can close this page and go back to the terminal.")
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l.listener) }()
	defer func() {
		// Let the browser get its page, but don't wait for connections that it
		// opened and never used.
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if server.Shutdown(grace) != nil {
			server.Close()
		}
	}()
	select {
	case answer := <-answers:
		return answer, nil
	case err := <-failed:
		return nil, err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func writePage(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // The address of this page contains the code.
	w.WriteHeader(status)
	fmt.Fprintf(w, `<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Sign-in</title>
<body style="max-width: 34rem; margin: 3rem auto; padding: 0 1rem; font: 1.1rem/1.5 system-ui, sans-serif">
<p>%s</p>
`, text)
}

// openBrowser opens an address in the user's browser. If it returns an error, the
// user can copy the address from the terminal.
func openBrowser(ctx context.Context, address string) error {
	opener := []string{"xdg-open"}
	switch runtime.GOOS {
	case "windows":
		opener = []string{"rundll32", "url.dll,FileProtocolHandler"}
	case "darwin":
		opener = []string{"open"}
	}
	ctx = context.WithoutCancel(ctx)                                               // The browser stays open when this program ends.
	command := exec.CommandContext(ctx, opener[0], append(opener[1:], address)...) //nolint:gosec // The address is http(s), and goes through no shell.
	if err := command.Start(); err != nil {
		return err
	}
	go command.Wait()
	return nil
}
