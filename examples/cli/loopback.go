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

// loopback is where the browser comes back to: a server on this machine, on
// whatever port is free, for one answer (RFC 8252 section 7.3). It is an
// address and not "localhost", which could be made to lead elsewhere.
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

// answer waits for the provider's answer to the request with the given state.
func (l *loopback) answer(ctx context.Context, state string) (url.Values, error) {
	answers := make(chan url.Values, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /callback", func(w http.ResponseWriter, r *http.Request) {
		answer := r.URL.Query()
		// Every program on this machine and every page in the browser can send
		// something here. What does not know the state is not the answer, and
		// does not keep the answer from coming.
		if answer.Get("state") != state {
			writePage(w, http.StatusBadRequest, "This does not belong to the sign-in that is under way, so it was not used.")
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
		// The browser gets its page. It may also hold connections open that it
		// never used, which are not waited for.
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
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // The address of this page has the code in it.
	w.WriteHeader(status)
	fmt.Fprintf(w, "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Sign-in</title>\n<p>%s</p>\n", text)
}

// openBrowser shows an address in the user's browser. An error means that it
// did not: the address has been printed too, so the user can.
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
