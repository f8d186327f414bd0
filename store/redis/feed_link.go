package redis

import (
	"context"
	"net"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// A server that has not answered for mostSilent is away, and it is asked after pingEvery at the latest.
const (
	mostSilent = 10 * time.Second
	pingEvery  = 2 * time.Second
)

// mostChanges is how many changes are delivered at a time.
const mostChanges = 1 << 10

// feedLink is a connection over which a server tells of changes. One goroutine reads it, and any may ping.
type feedLink struct {
	addr    string
	conn    net.Conn
	silence time.Duration // after which the server is away
	in      *replies
	wanted  record.Kinds
	channel string // what stands before the key in the name of a notification's channel

	changes []record.SourceChange // that were read, and not delivered yet
	flushed bool                  // so was that of all keys

	sending sync.Mutex // held while a ping is written
	mu      sync.Mutex // guards pings
	pings   []chan struct{}
}

func newFeedLink(addr string, conn net.Conn, wanted record.Kinds, o *goredis.Options) *feedLink {
	l := &feedLink{addr: addr, conn: conn, silence: mostSilent, wanted: wanted}
	if o.ReadTimeout > 0 {
		l.silence = max(min(l.silence, o.ReadTimeout), time.Second)
	}
	l.in = newReplies(l)
	return l
}

// Read reads the connection.
func (l *feedLink) Read(p []byte) (int, error) {
	if err := l.conn.SetReadDeadline(time.Now().Add(l.silence)); err != nil {
		return 0, err
	}
	return l.conn.Read(p)
}

func (l *feedLink) write(b *batch) error {
	if err := l.conn.SetWriteDeadline(time.Now().Add(l.silence)); err != nil {
		return err
	}
	_, err := l.conn.Write(b.buf)
	return err
}

// open says who asks, returns what the server says of itself, and has it tell of changes from then on.
func (l *feedLink) open(o *goredis.Options, w feedWay, db int) (facts, error) {
	if err := (&link{conn: l.conn}).greet(l.in, o); err != nil {
		return nil, err
	}
	info, err := l.ask("info", "all")
	if err != nil {
		return nil, err
	}
	return parseFacts(info.text), w.subscribe(l, o, db)
}

// ask sends a command, and reads an answer in RESP2.
func (l *feedLink) ask(words ...string) (answer, error) {
	var b batch
	b.ask(words...)
	if err := l.write(&b); err != nil {
		return answer{}, err
	}
	answers, err := l.in.read(nil, 1, false)
	if err != nil {
		return answer{}, err
	}
	return answers[0], answers[0].err
}

// order sends a command that has n answers, of which nothing counts but that they are no refusals. Changes may be told before
// them.
func (l *feedLink) order(n int, words ...string) error {
	var b batch
	b.ask(words...)
	if err := l.write(&b); err != nil {
		return err
	}
	for n > 0 {
		is, refused, err := l.next()
		switch {
		case err != nil:
			return err
		case refused != nil:
			return refused
		case is:
			n--
		}
	}
	return nil
}

// receive delivers what the server tells until the connection fails.
func (l *feedLink) receive(to *feed) error {
	for {
		if l.in.in.Buffered() == 0 || len(l.changes) >= mostChanges {
			l.deliver(to)
		}
		answered, _, err := l.next() // a refused ping is answered as well
		if err != nil {
			l.deliver(to)
			return broken(l.addr, l.silence, err)
		}
		if answered {
			l.deliver(to)
			l.mu.Lock()
			if len(l.pings) > 0 {
				close(l.pings[0])
				l.pings = l.pings[1:]
			}
			l.mu.Unlock()
		}
	}
}

func (l *feedLink) deliver(to *feed) {
	if l.flushed {
		to.deliver(nil, "Redis "+l.addr+" ran FLUSHDB or FLUSHALL")
	}
	if len(l.changes) > 0 {
		to.deliver(l.changes, "")
	}
	l.changes, l.flushed = nil, false
}

// ping sends a ping. The channel is closed when it is answered, and what was told before the answer was delivered.
func (l *feedLink) ping() (<-chan struct{}, error) {
	var b batch
	b.ask("ping")
	answered := make(chan struct{})
	l.sending.Lock() // the reader needs no more than mu, which is not held while something is written
	defer l.sending.Unlock()
	l.mu.Lock()
	l.pings = append(l.pings, answered)
	l.mu.Unlock()
	return answered, l.write(&b)
}

// keepAlive pings the server, so that it shows when it is away.
func (l *feedLink) keepAlive(ctx context.Context) error {
	tick := time.NewTicker(min(pingEvery, l.silence/4))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if _, err := l.ping(); err != nil {
			return broken(l.addr, l.silence, err)
		}
	}
}

// next reads what the server says next, in RESP2 or RESP3: changes, which it adds, an answer, which may be a refusal, or neither.
func (l *feedLink) next() (answered bool, refused, err error) {
	kind, line, err := l.in.line()
	switch {
	case err != nil:
		return false, nil, err
	case kind == '-':
		return true, refusal(line), nil
	case kind != '>' && kind != '*':
		return true, nil, l.skipRest(kind, line, deepest)
	}
	n, err := number(line)
	if err != nil {
		return false, nil, err
	}
	if n < 1 {
		return false, nil, errProtocol
	}
	name, err := l.text()
	if err != nil {
		return false, nil, err
	}
	switch {
	case name == "invalidate" && n == 2:
		return false, nil, l.invalidated()
	case name == "pmessage" && n == 4:
		return false, nil, l.notified()
	}
	return name == "subscribe" || name == "psubscribe" || name == "pong", nil, l.skip(n-1, deepest)
}

// invalidated reads the keys that were changed, or that all were.
func (l *feedLink) invalidated() error {
	kind, line, err := l.in.line()
	switch {
	case err != nil:
		return err
	case kind == '_':
		l.flushed = true
		return nil
	case kind != '*':
		return errProtocol
	}
	n, err := number(line)
	if err != nil {
		return err
	}
	if n < 0 {
		l.flushed = true
	}
	for range n {
		key, err := l.text()
		if err != nil {
			return err
		}
		l.changed(key)
	}
	return nil
}

// notified reads a pattern, the channel that it is of, and what happened to the key that the channel names.
func (l *feedLink) notified() error {
	if err := l.skip(1, deepest); err != nil {
		return err
	}
	channel, err := l.text()
	if err != nil {
		return err
	}
	if key, ok := strings.CutPrefix(channel, l.channel); ok {
		l.changed(key)
	}
	return l.skip(1, deepest)
}

// changed adds the change of a key, if it is wanted.
func (l *feedLink) changed(key string) {
	of, id := layout.Classify(key)
	kind, known := of.Kind()
	if !known || !l.wanted.Has(kind) {
		return
	}
	c := record.SourceChange{Kind: kind}
	switch {
	case of.HasUser():
		if c.User, known = record.ParseUserID(id); !known {
			return // it is no record's
		}
	case of == layout.APIKey:
		if c.APIKey = id; id == "" {
			return
		}
	}
	l.changes = append(l.changes, c)
}

// text reads a text.
func (l *feedLink) text() (string, error) {
	kind, line, err := l.in.line()
	if err != nil {
		return "", err
	}
	n, err := number(line)
	if err != nil {
		return "", err
	}
	if kind != '$' {
		return "", errProtocol
	}
	return l.in.text(n)
}

// deepest is how deep what a server says is nested.
const deepest = 8

// skip reads n of anything.
func (l *feedLink) skip(n int64, deep int) error {
	for range n {
		kind, line, err := l.in.line()
		if err == nil {
			err = l.skipRest(kind, line, deep)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *feedLink) skipRest(kind byte, line []byte, deep int) error {
	if strings.IndexByte("+-:_,#(", kind) >= 0 {
		return nil
	}
	n, err := number(line)
	switch {
	case err != nil:
		return err
	case n == -1:
		return nil
	case n < 0 || n > longestList || deep == 0:
		return errProtocol
	}
	switch kind {
	case '*', '~', '>':
		return l.skip(n, deep-1)
	case '%':
		return l.skip(2*n, deep-1)
	case '$', '=', '!':
		if _, err := l.in.in.Discard(int(n)); err != nil {
			return err
		}
		return l.in.lineEnd()
	}
	return errProtocol
}
