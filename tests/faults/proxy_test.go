package faults

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// mode is what a proxy does.
type mode int

const (
	passing   mode = iota // lets everything through
	refusing              // accepts no connection, and has cut existing ones
	hanging               // accepts connections and data, and never answers
	losing                // lets some answers through, and cuts each connection at the next one
	losingOne             // lets some answers through, cuts one connection at the next one, and then lets everything through
)

// proxy stands between a host and its database, so that the database seems to
// stop for this host only.
type proxy struct {
	t        *testing.T
	address  string
	upstream string

	mu       sync.Mutex
	mode     mode
	answers  int // how many answers still pass when losing
	listener net.Listener
	links    map[*link]bool
}

// link is a connection through the proxy.
type link struct {
	down, up net.Conn
	closed   chan struct{}
	once     sync.Once
}

func (l *link) close() {
	l.once.Do(func() {
		close(l.closed)
		l.down.Close()
		if l.up != nil {
			l.up.Close()
		}
	})
}

func newProxy(t *testing.T, upstream string) *proxy {
	t.Helper()
	p := &proxy{t: t, address: "127.0.0.1:0", upstream: upstream, links: map[*link]bool{}}
	p.listen()
	t.Cleanup(func() { p.set(refusing, 0) })
	return p
}

// listen listens on the proxy's address, or on a free one the first time.
func (p *proxy) listen() {
	require.Eventually(p.t, func() bool {
		listener, err := net.Listen("tcp", p.address)
		if err != nil {
			return false
		}
		p.listener, p.address = listener, listener.Addr().String()
		return true
	}, 10*time.Second, 10*time.Millisecond)
	go p.accept(p.listener)
}

// set changes what the proxy does. When it stops letting data through, or
// starts again, it cuts the existing connections, like a database that
// restarts.
func (p *proxy) set(m mode, answers int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode, p.answers = m, answers
	if m == refusing || m == passing {
		for l := range p.links {
			l.close()
		}
	}
	if m == refusing && p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
	if m != refusing && p.listener == nil {
		p.listen()
	}
}

func (p *proxy) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go p.serve(conn)
	}
}

func (p *proxy) serve(conn net.Conn) {
	l := &link{down: conn, closed: make(chan struct{})}
	p.mu.Lock()
	hangs, refuses := p.mode == hanging, p.mode == refusing
	if !hangs && !refuses {
		up, err := net.Dial("tcp", p.upstream)
		refuses = err != nil
		l.up = up
	}
	p.links[l] = true
	p.mu.Unlock()
	defer func() {
		l.close()
		p.mu.Lock()
		delete(p.links, l)
		p.mu.Unlock()
	}()
	if refuses {
		return
	}
	if hangs {
		<-l.closed
		return
	}
	go func() {
		defer l.close()
		p.forward(l, l.up, l.down, false)
	}()
	p.forward(l, l.down, l.up, true)
}

// forward copies bytes while the proxy lets them through, and then holds the
// connection until it is cut.
func (p *proxy) forward(l *link, to, from net.Conn, answers bool) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			lets, cut := p.lets(answers)
			if cut {
				l.close()
			}
			if !lets {
				<-l.closed
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// lets reports whether the next bytes may pass, and whether the connection is
// cut because they may not.
func (p *proxy) lets(answer bool) (passes, cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.mode == passing, (p.mode == losing || p.mode == losingOne) && !answer:
		return true, false
	case (p.mode == losing || p.mode == losingOne) && p.answers > 0:
		p.answers--
		return true, false
	case p.mode == losingOne:
		p.mode = passing
		return false, true
	}
	return false, p.mode == losing
}

// lost reports whether an answer was lost since the mode was losingOne, and
// lets everything through. Unlike set, it cuts no connection.
func (p *proxy) lost() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	lost := p.mode == passing
	p.mode = passing
	return lost
}
