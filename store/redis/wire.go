package redis

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// wire is a connection to one server, over which several goroutines ask at the same time: what each asks is sent at once,
// and answered in that order. It is there because go-redis takes twice the processor time for a command, and its
// connections have one caller at a time. A connection that failed is opened anew.
type wire struct {
	client *goredis.Client // whose options say how to connect

	mu   sync.Mutex
	link *link
	all  sync.WaitGroup // what reads answers
}

// link is an open connection.
type link struct {
	conn    net.Conn
	timeout time.Duration // for one batch; zero for any

	mu      sync.Mutex // held while something is sent
	waiting chan *exchange

	once   sync.Once
	failed chan struct{} // closed once err is set
	err    error
}

// exchange is a batch whose answers are waited for.
type exchange struct {
	*batch  // which is only read: it may have been sent before, over a connection that failed
	answers []answer
	done    chan struct{}
	err     error
}

// mostWaiting is how many batches may be sent before the first of them has its answers.
const mostWaiting = 64

// do sends the commands and waits for their answers.
func (w *wire) do(ctx context.Context, b *batch) error {
	l, err := w.open(ctx)
	if err != nil {
		return err
	}
	return l.do(ctx, b)
}

// do sends the commands over this connection and no other, and waits for their answers.
func (l *link) do(ctx context.Context, b *batch) error {
	x := &exchange{batch: b, answers: b.answers[:0], done: make(chan struct{})}
	b.answers = nil // they are the reader's now
	if err := l.send(x); err != nil {
		return err
	}
	select {
	case <-x.done:
		if x.err != nil {
			return x.err
		}
		b.answers = x.answers
		return b.verdict()
	case <-ctx.Done():
		l.fail(net.ErrClosed) // nobody else waits longer for it
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return &net.OpError{Op: "read", Net: "tcp", Source: l.conn.LocalAddr(), Addr: l.conn.RemoteAddr(), Err: os.ErrDeadlineExceeded}
		}
		return ctx.Err()
	}
}

// open returns the open connection, a new one where there is none.
func (w *wire) open(ctx context.Context) (*link, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.link != nil {
		select {
		case <-w.link.failed:
		default:
			return w.link, nil
		}
	}
	o := w.client.Options()
	conn, err := o.Dialer(ctx, o.Network, o.Addr)
	if err != nil {
		return nil, err
	}
	l := &link{conn: conn, timeout: o.ReadTimeout, waiting: make(chan *exchange, mostWaiting), failed: make(chan struct{})}
	in := newReplies(conn)
	if err := l.greet(in, o); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	w.link = l
	w.all.Go(func() { l.receive(in) })
	return l, nil
}

// renew has the next who asks open another connection: that to a master that was made a replica stays open.
func (w *wire) renew() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.link != nil {
		w.link.fail(net.ErrClosed)
	}
}

// close closes the connection, and waits until nobody reads it.
func (w *wire) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.link != nil {
		w.link.fail(net.ErrClosed)
	}
	w.all.Wait()
}

// greet says who asks, and of which database.
func (l *link) greet(in *replies, o *goredis.Options) error {
	var b batch
	switch {
	case o.Username != "" && o.Password != "":
		b.ask("auth", o.Username, o.Password)
	case o.Password != "":
		b.ask("auth", o.Password)
	}
	if o.DB > 0 {
		b.ask("select", strconv.Itoa(o.DB))
	}
	if len(b.starts) == 0 {
		return nil
	}
	if err := l.conn.SetDeadline(time.Now().Add(o.DialTimeout)); err != nil {
		return err
	}
	if _, err := l.conn.Write(b.buf); err != nil {
		return err
	}
	var err error
	if b.answers, err = in.read(nil, len(b.starts), false); err != nil {
		return err
	}
	if err := b.verdict(); err != nil {
		return err
	}
	return l.conn.SetDeadline(time.Time{})
}

// send sends the commands.
func (l *link) send(x *exchange) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.failed: // of two that are ready, select takes any
		return l.err
	default:
	}
	select {
	case <-l.failed:
		return l.err
	case l.waiting <- x:
	}
	err := l.conn.SetWriteDeadline(l.deadline())
	if err == nil {
		_, err = l.conn.Write(x.buf)
	}
	if err != nil {
		l.fail(err)
		return l.err
	}
	return nil
}

// deadline is when an answer is late, zero for never.
func (l *link) deadline() time.Time {
	if l.timeout <= 0 {
		return time.Time{}
	}
	return time.Now().Add(l.timeout)
}

// receive reads answers until the connection fails.
func (l *link) receive(in *replies) {
	for {
		select {
		case <-l.failed:
			l.end()
			return
		case x := <-l.waiting:
			err := l.conn.SetReadDeadline(l.deadline())
			if err == nil {
				in.mixed = x.mixed
				x.answers, err = in.read(x.answers, len(x.starts), x.apart)
			}
			if err != nil {
				l.fail(err)
				x.err = l.err
			}
			close(x.done)
		}
	}
}

// end tells all that wait that the connection has failed.
func (l *link) end() {
	l.mu.Lock() // nobody sends any more
	defer l.mu.Unlock()
	for {
		select {
		case x := <-l.waiting:
			x.err = l.err
			close(x.done)
		default:
			return
		}
	}
}

// fail closes the connection. The first reason counts.
func (l *link) fail(err error) {
	l.once.Do(func() {
		l.err = err
		close(l.failed)
		_ = l.conn.Close() // which is told already
	})
}

// replies reads answers in RESP2.
type replies struct {
	in      *bufio.Reader
	scratch []byte // of the texts of a list
	ends    []int

	// mixed tells that lists may hold what is no text, of which refusals alone are of interest.
	mixed bool
}

// What a server sends for a text or a list is no longer than this: Redis's own limit of a text, and of arrays.
const (
	longestText = 512 << 20
	longestList = 1 << 30
)

var errProtocol = errors.New("the server's answer is none of Redis's protocol")

func newReplies(r io.Reader) *replies { return &replies{in: bufio.NewReaderSize(r, 64<<10)} }

// read reads the answers to n commands, into the memory of answers where that is enough.
func (r *replies) read(answers []answer, n int, apart bool) ([]answer, error) {
	answers = slices.Grow(answers[:0], n)[:n]
	clear(answers)
	for i := range answers {
		if err := r.answer(&answers[i], apart); err != nil {
			return nil, err
		}
	}
	return answers, nil
}

func (r *replies) answer(a *answer, apart bool) error {
	kind, line, err := r.line()
	if err != nil {
		return err
	}
	switch kind {
	case '+':
		a.text = string(line)
		return nil
	case '-':
		a.err = refusal(line)
		return nil
	}
	n, err := number(line)
	if err != nil {
		return err
	}
	switch {
	case kind == ':':
		a.n = n
	case n == -1:
		a.err = goredis.Nil
	case kind == '$':
		a.text, err = r.text(n)
	case kind == '*':
		a.list, err = r.list(n, a, apart)
	default:
		err = errProtocol
	}
	return err
}

// line reads a line, which holds until the next is read.
func (r *replies) line() (kind byte, rest []byte, err error) {
	line, err := r.in.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return 0, nil, errProtocol
	case err != nil:
		return 0, nil, err
	case len(line) < 3 || line[len(line)-2] != '\r':
		return 0, nil, errProtocol
	}
	return line[0], line[1 : len(line)-2], nil
}

func number(digits []byte) (int64, error) {
	n, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil {
		return 0, errProtocol
	}
	return n, nil
}

// text reads a text of n bytes, and the end of its line.
func (r *replies) text(n int64) (string, error) {
	if n < 0 || n > longestText {
		return "", errProtocol
	}
	var b strings.Builder
	b.Grow(int(min(n, 1<<20)))
	for left := int(n); left > 0; {
		if _, err := r.in.Peek(1); err != nil {
			return "", err
		}
		some, _ := r.in.Peek(min(left, r.in.Buffered()))
		b.Write(some)
		_, _ = r.in.Discard(len(some))
		left -= len(some)
	}
	return b.String(), r.lineEnd()
}

func (r *replies) lineEnd() error {
	end, err := r.in.Peek(2)
	switch {
	case err != nil:
		return err
	case end[0] != '\r' || end[1] != '\n':
		return errProtocol
	}
	_, err = r.in.Discard(2)
	return err
}

// list reads a list of n texts. Of a SCAN's answer it reads the cursor into a, and returns the list in it. The texts share
// their memory, unless apart, where they are short. A list in a list in a list is none of Redis's: a is nil for the inner one.
func (r *replies) list(n int64, a *answer, apart bool) ([]string, error) {
	if n < 0 || n > longestList {
		return nil, errProtocol
	}
	const short = 4 << 10
	var list []string
	r.scratch, r.ends = r.scratch[:0], r.ends[:0]
	for i := range n {
		kind, line, err := r.line()
		if err != nil {
			return nil, err
		}
		if r.mixed && (kind == '+' || kind == '-' || kind == ':') {
			if kind == '-' && a != nil && a.err == nil {
				a.err = refusal(line)
			}
			list, r.ends = append(list, ""), append(r.ends, len(r.scratch))
			continue
		}
		size, err := number(line)
		switch {
		case err != nil:
			return nil, err
		case r.mixed && kind == '$' && size == -1:
			list, r.ends = append(list, ""), append(r.ends, len(r.scratch))
			continue
		case kind == '*' && i == 1 && n == 2 && a != nil:
			a.text = r.shared(list)[0]
			return r.list(size, nil, apart)
		case kind != '$' || size < 0:
			return nil, errProtocol
		}
		if list == nil {
			list = make([]string, 0, min(n, 1<<16))
		}
		text := ""
		if apart || size > short {
			if text, err = r.text(size); err != nil {
				return nil, err
			}
		} else {
			some, err := r.in.Peek(int(size))
			if err != nil {
				return nil, err
			}
			r.scratch = append(r.scratch, some...)
			_, _ = r.in.Discard(len(some))
			if err := r.lineEnd(); err != nil {
				return nil, err
			}
		}
		list = append(list, text)
		r.ends = append(r.ends, len(r.scratch))
	}
	return r.shared(list), nil
}

// shared fills in the texts of the list that were read into the scratch memory.
func (r *replies) shared(list []string) []string {
	all, from := string(r.scratch), 0
	for i, end := range r.ends {
		if end > from {
			list[i] = all[from:end]
		}
		from = end
	}
	if cap(r.scratch) > 1<<20 {
		r.scratch = nil
	}
	return list
}
