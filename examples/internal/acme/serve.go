package acme

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Listen takes a port and returns the URL by which a browser on this machine
// reaches it. The flag is the one to change if the port cannot be had.
func Listen(ctx context.Context, flag, addr string) (net.Listener, string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, "", fmt.Errorf("cannot listen on %s: choose another address with %s: %w", addr, flag, err)
	}
	// The host stays as it was written, as localhost and 127.0.0.1 are two
	// sites to a browser.
	host, _, _ := net.SplitHostPort(addr) // Listen could read it.
	bound := l.Addr().(*net.TCPAddr)
	if host == "" || bound.IP.IsUnspecified() {
		host = "localhost"
	}
	return l, "http://" + net.JoinHostPort(host, strconv.Itoa(bound.Port)), nil
}

// Serve serves until ctx ends, and then lets requests that are under way finish
// for a few seconds.
func Serve(ctx context.Context, l net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		if server.Shutdown(grace) != nil {
			server.Close()
		}
	})
	err := server.Serve(l)
	if !stop() { // ctx has ended, so Shutdown is at work.
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
