package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	goredis "github.com/redis/go-redis/v9"
)

// batch is commands that are sent in one round trip, with their answers once they are there.
type batch struct {
	buf     []byte // the commands as Redis reads them
	starts  []int  // where each begins
	answers []answer

	// apart tells that the texts of a list will live on without each other: each has memory of its own.
	apart bool

	// mixed tells that lists may hold what is no text: fields that are not there, and what the commands of a transaction
	// answered.
	mixed bool
}

// batches are kept for other pages: what a page of keys asks fills a large buffer.
var batches = sync.Pool{New: func() any { return new(batch) }}

func newBatch() *batch { return batches.Get().(*batch) }

// mostKept is up to how many bytes of a batch are kept.
const mostKept = 1 << 20

// free gives the batch back. Nobody may wait for its answers any more: what has failed is not given back.
func (b *batch) free() {
	if cap(b.buf) > mostKept {
		return
	}
	clear(b.answers)
	*b = batch{buf: b.buf[:0], starts: b.starts[:0], answers: b.answers[:0]}
	batches.Put(b)
}

// ask adds a command.
func (b *batch) ask(words ...string) {
	b.begin(len(words))
	for _, word := range words {
		b.word(word, "")
	}
}

// begin begins a command of n words.
func (b *batch) begin(n int) {
	b.starts = append(b.starts, len(b.buf))
	b.size('*', n)
}

// word adds a word, which is given in two pieces, to the command that was begun.
func (b *batch) word(first, rest string) {
	b.size('$', len(first)+len(rest))
	b.buf = append(append(append(b.buf, first...), rest...), '\r', '\n')
}

// bytes adds a word to the command that was begun.
func (b *batch) bytes(word []byte) {
	b.size('$', len(word))
	b.buf = append(append(b.buf, word...), '\r', '\n')
}

func (b *batch) size(kind byte, n int) {
	b.buf = append(b.buf, kind)
	b.buf = strconv.AppendInt(b.buf, int64(n), 10)
	b.buf = append(b.buf, '\r', '\n')
}

// command returns the words of the command of that number.
func (b *batch) command(i int) []string {
	end := len(b.buf)
	if i+1 < len(b.starts) {
		end = b.starts[i+1]
	}
	text := string(b.buf[b.starts[i]:end])
	size := func() int {
		line, rest, _ := strings.Cut(text[1:], "\r\n")
		n, _ := strconv.Atoi(line)
		text = rest
		return n
	}
	words := make([]string, size())
	for j := range words {
		n := size()
		words[j], text = text[:n], text[n+len("\r\n"):]
	}
	return words
}

// args returns the words of the command of that number, as go-redis takes them.
func (b *batch) args(i int) []any {
	words := b.command(i)
	args := make([]any, len(words))
	for j, word := range words {
		args[j] = word
	}
	return args
}

// answer is what the server said to one command.
type answer struct {
	text string   // also the cursor of a SCAN
	list []string // of a HGETALL, the names and values in turn
	n    int64
	err  error // a refusal, or goredis.Nil where there is nothing
}

// verdict returns what keeps the answers from being of use. Those that concern one key alone are left to the caller: no
// such key, a wrong type, and a refused MEMORY USAGE.
func (b *batch) verdict() error {
	for i := range b.answers {
		err := b.answers[i].err
		if err == nil || errors.Is(err, goredis.Nil) || isWrongType(err) {
			continue
		}
		if isRefused(err) && b.command(i)[0] == "memory" {
			continue
		}
		return err
	}
	return nil
}

// through sends the commands by a pipeline of go-redis.
func (b *batch) through(ctx context.Context, pipe goredis.Pipeliner) error {
	for i := range b.starts {
		pipe.Do(ctx, b.args(i)...)
	}
	cmds, err := pipe.Exec(ctx)
	b.answers = make([]answer, len(b.starts))
	for i, cmd := range cmds {
		b.answers[i].take(cmd)
	}
	if len(cmds) == 0 {
		return err
	}
	return b.verdict()
}

// take takes over what go-redis understood.
func (a *answer) take(cmd goredis.Cmder) {
	general, ok := cmd.(*goredis.Cmd)
	if !ok {
		a.err = fmt.Errorf("%s: %T in place of an answer", cmd.Name(), cmd)
		return
	}
	value, err := general.Result()
	if a.err = err; err == nil {
		a.takeValue(value)
	}
}

func (a *answer) takeValue(value any) {
	switch value := value.(type) {
	case string:
		a.text = value
	case int64:
		a.n = value
	case []any:
		for _, v := range value {
			if text, ok := v.(string); ok {
				a.list = append(a.list, text)
			} else {
				a.takeValue(v)
			}
		}
		if len(value) == 2 && len(a.list) > 0 { // a SCAN's cursor, and a list
			if _, nested := value[1].([]any); nested {
				a.text, a.list = a.list[0], a.list[1:]
			}
		}
	case map[any]any: // by RESP3
		for name, v := range value {
			a.list = append(a.list, fmt.Sprint(name), fmt.Sprint(v))
		}
	}
}
