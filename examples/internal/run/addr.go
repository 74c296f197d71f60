package run

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// Addr is a flag with an address to listen on.
type Addr struct {
	flag, value string
	listener    net.Listener
}

// Addr defines a flag for the address where an app listens, such as "Wiki, the
// client".
func (e *Example) Addr(name, value, app string) *Addr {
	a := &Addr{flag: name, value: value}
	e.addrs = append(e.addrs, a)
	e.Flags.Var(a, name, "`host:port` for "+app+"; port 0 takes a free one")
	return a
}

// Set implements flag.Value.
func (a *Addr) Set(value string) error {
	_, port, err := net.SplitHostPort(value)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return errors.New("write host:port, such as 127.0.0.1:8080")
	}
	a.value = value
	return nil
}

// String implements flag.Value.
func (a *Addr) String() string { return a.value }

// URL returns the URL where a browser on this machine reaches the address. Call
// it after Listen.
func (a *Addr) URL() string {
	// The host stays the way the user wrote it: localhost and 127.0.0.1 are two
	// sites to a browser.
	host, _, _ := net.SplitHostPort(a.value) // Listen was able to read it.
	bound := a.listener.Addr().(*net.TCPAddr)
	if host == "" || bound.IP.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(bound.Port))
}

// FreePorts takes a free port for each address that the command line doesn't
// give. Call it between Parse and Listen.
func (e *Example) FreePorts() {
	given := map[string]bool{}
	e.Flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for _, a := range e.addrs {
		if !given[a.flag] {
			host, _, _ := net.SplitHostPort(a.value) // The program's own default.
			a.value = net.JoinHostPort(host, "0")
		}
	}
}

// Listen parses the flags, unless Parse has, and takes the ports. Serve answers
// requests there later: the URLs are needed first.
func (e *Example) Listen() error {
	if !e.Flags.Parsed() {
		if err := e.Parse(); err != nil {
			return err
		}
	}
	for _, a := range e.addrs {
		var err error
		a.listener, err = new(net.ListenConfig).Listen(e.ctx, "tcp", a.value)
		if err == nil {
			continue
		}
		host, port, _ := net.SplitHostPort(a.value)
		if errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("port %s is taken by another program: choose another with -%s, or any free one with -%s %s",
				port, a.flag, a.flag, net.JoinHostPort(host, "0"))
		}
		return fmt.Errorf("cannot listen on %s: choose another address with -%s: %w", a.value, a.flag, err)
	}
	return nil
}
