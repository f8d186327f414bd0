package storetest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Proxy passes TCP connections on to a server, and cuts them on demand.
type Proxy struct {
	// Addr is the proxy's own host:port, on loopback.
	Addr string

	target   string
	listener net.Listener
	mu       sync.Mutex
	open     map[net.Conn]bool
	refuse   bool
	done     sync.WaitGroup
}

// NewProxy starts a proxy to target, a host:port. It stops with the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: listener.Addr().String(), target: target, listener: listener, open: make(map[net.Conn]bool)}
	p.done.Add(1)
	go p.accept()
	t.Cleanup(func() {
		listener.Close()
		p.Cut()
		p.done.Wait()
	})
	return p
}

func (p *Proxy) accept() {
	defer p.done.Done()
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil || !p.enter(client, server) {
			client.Close()
			if err == nil {
				server.Close()
			}
			continue
		}
		p.done.Add(2)
		go p.pass(client, server)
		go p.pass(server, client)
	}
}

func (p *Proxy) enter(connections ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range connections {
		p.open[c] = true
	}
	return !p.refuse
}

func (p *Proxy) pass(from, to net.Conn) {
	defer p.done.Done()
	_, _ = io.Copy(to, from) // it ends with either connection
	from.Close()
	to.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, from)
}

// Cut closes all connections. New ones pass.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		c.Close()
	}
}

// Refuse makes the proxy close new connections at once, or let them pass again.
func (p *Proxy) Refuse(refuse bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = refuse
}
