package redis

import (
	"net"
	"strings"
	"sync"
	"time"
)

// connections are those of a store that are open. Go-redis heeds the deadline of a context, but not its cancellation:
// what waits for a server that does not answer is ended by closing its connection.
type connections struct {
	mu   sync.Mutex
	open map[net.Conn]bool
}

// keep returns conn, which counts as open until it is closed.
func (c *connections) keep(conn net.Conn) net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = make(map[net.Conn]bool)
	}
	c.open[conn] = true
	return &connection{Conn: conn, of: c}
}

// cut closes all that are open. Go-redis opens others when it needs them.
func (c *connections) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.open {
		_ = conn.Close() // whoever reads it is told
	}
	clear(c.open)
}

// release returns what conn is on. It is not cut any more.
func (c *connections) release(conn net.Conn) net.Conn {
	kept, ok := conn.(*connection)
	if !ok {
		return conn
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, kept.Conn)
	return kept.Conn
}

// connection is an open one, with what its server said first.
type connection struct {
	net.Conn
	of *connections

	reading sync.Mutex // held while something is read
	heard   bool
	first   string // what the server said first, where that is a refusal
}

// mostWords bounds the refusal that is remembered.
const mostWords = 1 << 10

// Read implements [net.Conn].
func (c *connection) Read(b []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	return c.read(b)
}

func (c *connection) read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	switch {
	case n > 0 && !c.heard && b[0] == '-':
		c.first = string(b[:min(n, mostWords)])
	case n > 0:
		c.first = "" // it refused something, but went on
	}
	c.heard = c.heard || n > 0
	if err != nil {
		err = c.lastWords(err)
	}
	return n, err
}

// Write implements [net.Conn].
func (c *connection) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if err == nil || !c.reading.TryLock() { // whoever reads is told
		return n, err
	}
	defer c.reading.Unlock()
	if !c.heard && c.Conn.SetReadDeadline(time.Now().Add(lastWordsIn)) == nil {
		_, _ = c.read(make([]byte, mostWords)) // there may be nothing
	}
	return n, c.lastWords(err)
}

// lastWords returns what the server said before the connection failed with err, where it refused the client: it says so and
// closes the connection, which is met by a read or by a write, whether go-redis has read what it said or not.
func (c *connection) lastWords(err error) error {
	if line, _, _ := strings.Cut(c.first, "\r\n"); line != "" {
		if said := refusal(line[1:]); turnsAway(said) {
			return said
		}
	}
	return err
}

// lastWordsIn is how long the last words of a server that has closed a connection may take: they are here already.
const lastWordsIn = 100 * time.Millisecond

// refusal is an error that a server answered, as go-redis knows them.
type refusal string

func (r refusal) Error() string { return string(r) }

// RedisError implements [goredis.Error].
func (refusal) RedisError() {}

// Close implements [net.Conn]. A connection that was cut is closed.
func (c *connection) Close() error {
	c.of.mu.Lock()
	open := c.of.open[c.Conn]
	delete(c.of.open, c.Conn)
	c.of.mu.Unlock()
	if !open {
		return nil
	}
	return c.Conn.Close()
}
