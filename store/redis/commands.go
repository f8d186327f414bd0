package redis

import (
	"context"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// commands are what is done to keys, in order, in the making.
type commands struct {
	store *Store
	*batch
	err error // why one of them cannot be made

	// Where one server has all keys, marks are set by one command.
	marks   batch
	marked  int
	scratch []byte
}

func newCommands(s *Store) *commands {
	c := &commands{store: s, batch: newBatch()}
	c.reset()
	return c
}

// reset forgets all commands.
func (c *commands) reset() {
	*c.batch = batch{buf: c.buf[:0], starts: c.starts[:0]}
	c.marks.buf, c.marked, c.err = c.marks.buf[:0], 0, nil
	c.ask("multi")
}

// transaction returns the commands between multi and exec.
func (c *commands) transaction() *batch {
	c.setMarks(c.batch)
	c.ask("exec")
	return c.batch
}

func (c *commands) setMarks(b *batch) {
	if c.marked > 0 {
		b.begin(2 + 2*c.marked)
		b.word("hset", "")
		b.word(layout.Digests, "")
		b.buf = append(b.buf, c.marks.buf...)
	}
}

// setting is how a command of set begins; its key and its text follow.
const setting = "*3\r\n$3\r\nset\r\n"

// onlyTexts reports whether all that is done is to set keys to texts.
func (c *commands) onlyTexts() bool {
	for _, start := range c.starts[1:] {
		if !strings.HasPrefix(string(c.buf[start:min(start+len(setting), len(c.buf))]), setting) {
			return false
		}
	}
	return len(c.starts) > 1
}

// creating returns commands that set the keys to their texts, if none of them holds anything; the last one's answer tells.
func (c *commands) creating() *batch {
	b := newBatch()
	c.setMarks(b)
	sets := c.starts[1:]
	b.begin(1 + 2*len(sets))
	b.word("msetnx", "")
	for i, start := range sets {
		end := len(c.buf)
		if i+1 < len(sets) {
			end = sets[i+1]
		}
		b.buf = append(b.buf, c.buf[start+len(setting):end]...)
	}
	return b
}

// queue queues the commands in a transaction of go-redis.
func (c *commands) queue(ctx context.Context, pipe goredis.Pipeliner) {
	for i := 1; i < len(c.starts); i++ {
		pipe.Do(ctx, c.args(i)...)
	}
}

// set makes the text what the key holds, without a time to live.
func (c *commands) set(key, text string) { c.ask("set", key, text) }

// setTime is set of a time.
func (c *commands) setTime(key string, t int64) {
	c.begin(3)
	c.word("set", "")
	c.word(key, "")
	c.bytes(layout.AppendTime(c.scratch[:0], t))
}

func (c *commands) del(key string) { c.ask("del", key) }

// setFields sets fields of a hash.
func (c *commands) setFields(l layout.Layout, key string, fields map[string]record.Field) {
	c.beginFields(key, len(fields))
	for name, f := range fields {
		c.field(l, name, f.Value)
	}
}

// setValues is setFields of values alone.
func (c *commands) setValues(l layout.Layout, key string, fields map[string]record.Value) {
	c.beginFields(key, len(fields))
	for name, v := range fields {
		c.field(l, name, v)
	}
}

func (c *commands) beginFields(key string, n int) {
	c.begin(2 + 2*n)
	c.word("hset", "")
	c.word(key, "")
}

func (c *commands) field(l layout.Layout, name string, v record.Value) {
	text, err := l.AppendValue(c.scratch[:0], v)
	if err != nil && c.err == nil {
		c.err = err
	}
	c.scratch = text
	c.word(name, "")
	c.bytes(text)
}

// unset removes fields of a hash.
func (c *commands) unset(key string, names []string) {
	c.begin(2 + len(names))
	c.word("hdel", "")
	c.word(key, "")
	for _, name := range names {
		c.word(name, "")
	}
}

// mark notes the digest of what lanyardctl writes to the key.
func (c *commands) mark(key string, digest string) {
	if !c.store.single {
		c.ask("hset", layout.DigestsOf(key), key, digest)
		return
	}
	c.marked++
	c.marks.word(key, "")
	c.marks.word(digest, "")
}

// unmark forgets what lanyardctl wrote to the key.
func (c *commands) unmark(key string) { c.ask("hdel", c.store.digestsOf(key), key) }

// digestsOf returns the key of the hash in which the key's mark stands.
func (s *Store) digestsOf(key string) string {
	if s.single {
		return layout.Digests
	}
	return layout.DigestsOf(key)
}

// marks looks up the marks of the keys that may have one.
func (s lookups) marks(ctx context.Context, list []*probe) error {
	var marked []*probe
	for _, p := range list {
		if p.State == layout.Present && p.Layout.Marked() {
			marked = append(marked, p)
		}
	}
	if len(marked) == 0 {
		return nil
	}
	b := newBatch()
	if s.single {
		b.mixed = true
		b.begin(2 + len(marked))
		b.word("hmget", "")
		b.word(layout.Digests, "")
		for _, p := range marked {
			b.word(p.Key, "")
		}
	} else {
		for _, p := range marked {
			b.ask("hget", layout.DigestsOf(p.Key), p.Key)
		}
	}
	if err := s.ask(ctx, "look up digests in redis", b); err != nil {
		return err
	}
	for i, p := range marked {
		switch {
		case !s.single:
			p.Mark = b.answers[i].text
		case i < len(b.answers[0].list):
			p.Mark = b.answers[0].list[i]
		}
	}
	b.free()
	return nil
}
