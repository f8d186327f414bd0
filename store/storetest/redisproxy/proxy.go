// Package redisproxy stands between a client and a Redis server. It shows the commands that pass, one by one also where
// they come in a pipeline, so that a test can act at an exact moment; it can fall silent, cut connections, and pass one
// byte at a time. For tests only.
package redisproxy

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Command is a command on its way to the server.
type Command struct {
	Name string // in capitals: "GETRANGE"
	Args []string
	Nth  int // of its name, from 1
}

// Hook is shown every command before it passes. What it returns, if anything, is done once all commands that passed
// before have their answers, and while no other passes.
type Hook func(Command) (act func())

// Options says how the proxy behaves from its start.
type Options struct {
	Hook    Hook
	After   func(Command)        // is told once the answer to a command has passed, of one at a time
	Instead func(Command) string // what passes in place of the answer, such as "-ERR no\r\n"; empty for the answer
	Dribble bool                 // pass one byte at a time, both ways
}

// Proxy is a running proxy.
type Proxy struct {
	Addr string
	URI  string // "redis://" and Addr

	server   string
	opts     Options
	listener net.Listener
	done     sync.WaitGroup
	cut      atomic.Int32 // how many of the next commands to cut
	cuts     atomic.Int32

	passing sync.Mutex // held from the hook until the command has passed
	telling sync.Mutex // held while After is told

	mu      sync.Mutex
	changed sync.Cond
	open    map[net.Conn]bool
	seen    []Command
	count   map[string]int
	waiting int  // commands without an answer
	silent  bool // no answer passes
	ended   bool
}

// Start starts a proxy to the server at a host:port. It stops with the test.
func Start(t testing.TB, server string, o Options) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{
		Addr: listener.Addr().String(), server: server, opts: o, listener: listener,
		open: make(map[net.Conn]bool), count: make(map[string]int),
	}
	p.URI = "redis://" + p.Addr
	p.changed.L = &p.mu
	p.done.Go(p.accept)
	t.Cleanup(func() {
		listener.Close()
		p.set(func() { p.ended = true })
		p.CutAll()
		p.done.Wait()
	})
	return p
}

// Commands returns the commands that have passed, in order.
func (p *Proxy) Commands() []Command {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.seen)
}

// CutNext ends a connection in place of each of the next n commands.
func (p *Proxy) CutNext(n int) { p.cut.Store(int32(n)) }

// Cuts returns how often [Proxy.CutNext] ended a connection.
func (p *Proxy) Cuts() int { return int(p.cuts.Load()) }

// CutAll ends all connections at once, by a reset.
func (p *Proxy) CutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		c.Close()
	}
}

// Silence holds all answers back until it is called with false.
func (p *Proxy) Silence(on bool) { p.set(func() { p.silent = on }) }

func (p *Proxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	p.changed.Broadcast()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			client.Close()
			continue
		}
		p.set(func() {
			p.open[client], p.open[server] = true, true
			if p.ended {
				client.Close()
				server.Close()
			}
		})
		p.done.Go(func() { p.serve(client, server) })
	}
}

func (p *Proxy) serve(client, server net.Conn) {
	var waiting []Command // of this connection; under p.mu
	var both sync.WaitGroup
	end := func() {
		client.Close()
		server.Close()
	}
	both.Go(func() {
		defer end()
		p.passCommands(client, server, &waiting)
	})
	both.Go(func() {
		defer end()
		p.passAnswers(server, client, &waiting)
	})
	both.Wait()
	p.set(func() {
		p.waiting -= len(waiting)
		delete(p.open, client)
		delete(p.open, server)
	})
}

func (p *Proxy) passCommands(client, server net.Conn, waiting *[]Command) {
	in := bufio.NewReader(client)
	for {
		var raw bytes.Buffer
		words, _, err := readValue(in, &raw)
		if err != nil || len(words) == 0 {
			return
		}
		for left := p.cut.Load(); left > 0; left = p.cut.Load() {
			if p.cut.CompareAndSwap(left, left-1) {
				p.cuts.Add(1)
				return
			}
		}
		if !p.passCommand(server, words, raw.Bytes(), waiting) {
			return
		}
	}
}

func (p *Proxy) passCommand(server net.Conn, words []string, raw []byte, waiting *[]Command) bool {
	p.passing.Lock()
	defer p.passing.Unlock()
	c := Command{Name: strings.ToUpper(words[0]), Args: words[1:]}
	p.set(func() {
		p.count[c.Name]++
		c.Nth = p.count[c.Name]
		p.seen = append(p.seen, c)
	})
	if p.opts.Hook != nil {
		if act := p.opts.Hook(c); act != nil {
			p.mu.Lock()
			for p.waiting > 0 && !p.ended {
				p.changed.Wait()
			}
			p.mu.Unlock()
			act()
		}
	}
	p.set(func() {
		p.waiting++
		*waiting = append(*waiting, c)
	})
	return p.write(server, raw) == nil
}

func (p *Proxy) passAnswers(server, client net.Conn, waiting *[]Command) {
	in := bufio.NewReader(server)
	for {
		var raw bytes.Buffer
		_, pushed, err := readValue(in, &raw)
		if err != nil {
			return
		}
		var of []Command
		p.mu.Lock()
		for p.silent && !p.ended {
			p.changed.Wait()
		}
		if !pushed && len(*waiting) > 0 {
			of = (*waiting)[:1]
		}
		p.mu.Unlock()
		if p.opts.Instead != nil && len(of) == 1 {
			if text := p.opts.Instead(of[0]); text != "" {
				raw = *bytes.NewBufferString(text)
			}
		}
		failed := p.write(client, raw.Bytes()) != nil
		if !pushed {
			p.answered(waiting)
		}
		if failed {
			return
		}
	}
}

func (p *Proxy) answered(waiting *[]Command) {
	var of []Command
	p.set(func() {
		if len(*waiting) > 0 {
			p.waiting--
			of, *waiting = (*waiting)[:1], (*waiting)[1:]
		}
	})
	if p.opts.After != nil && len(of) == 1 {
		p.telling.Lock()
		defer p.telling.Unlock()
		p.opts.After(of[0])
	}
}

func (p *Proxy) write(to io.Writer, b []byte) error {
	if !p.opts.Dribble {
		_, err := to.Write(b)
		return err
	}
	for i := range b {
		if _, err := to.Write(b[i : i+1]); err != nil {
			return err
		}
	}
	return nil
}
