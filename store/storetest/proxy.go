package storetest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Proxy passes TCP connections on to a server, cuts them and falls silent on demand, and keeps its address where the
// server takes another.
type Proxy struct {
	// Addr is the proxy's own host:port, on loopback.
	Addr string

	listener net.Listener
	done     sync.WaitGroup

	mu     sync.Mutex
	spoken sync.Cond // silent or ended has changed
	target string
	open   map[net.Conn]bool
	refuse bool
	silent bool
	ended  bool
}

// NewProxy starts a proxy to target, a host:port. It stops with the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: listener.Addr().String(), target: target, listener: listener, open: make(map[net.Conn]bool)}
	p.spoken.L = &p.mu
	p.done.Add(1)
	go p.accept()
	t.Cleanup(func() {
		listener.Close()
		p.set(func() { p.ended = true })
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
		server, err := net.Dial("tcp", p.server())
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

func (p *Proxy) server() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.target
}

func (p *Proxy) enter(connections ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse || p.ended {
		return false
	}
	for _, c := range connections {
		p.open[c] = true
	}
	return true
}

func (p *Proxy) pass(from, to net.Conn) {
	defer p.done.Done()
	_, _ = io.Copy(speaker{p, to}, from) // it ends with either connection
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
func (p *Proxy) Refuse(refuse bool) { p.set(func() { p.refuse = refuse }) }

// Silence makes the proxy hold back all that comes, both ways, or pass it on.
func (p *Proxy) Silence(silent bool) { p.set(func() { p.silent = silent }) }

// Pass has new connections go to another server.
func (p *Proxy) Pass(target string) { p.set(func() { p.target = target }) }

func (p *Proxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	p.spoken.Broadcast()
}

// speaker writes to a connection unless the proxy is silent.
type speaker struct {
	*Proxy
	to net.Conn
}

func (s speaker) Write(b []byte) (int, error) {
	s.mu.Lock()
	for s.silent && !s.ended {
		s.spoken.Wait()
	}
	s.mu.Unlock()
	return s.to.Write(b)
}
