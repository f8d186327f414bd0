package redis

import (
	"context"
	"errors"
	"fmt"

	goredis "github.com/redis/go-redis/v9"
)

// batch is commands that are sent in one round trip, with their answers once they are there.
type batch struct {
	words   []string // of all commands
	ends    []int    // where each command's words end
	answers []answer

	// apart tells that the texts of a list will live on without each other: each has memory of its own.
	apart bool
}

// answer is what the server said to one command.
type answer struct {
	text string   // also the cursor of a SCAN
	list []string // of a HGETALL, the names and values in turn
	n    int64
	err  error // a refusal, or goredis.Nil where there is nothing
}

// ask adds a command and returns its number.
func (b *batch) ask(words ...string) int {
	b.words = append(b.words, words...)
	b.ends = append(b.ends, len(b.words))
	return len(b.ends) - 1
}

// command returns the words of the command of that number.
func (b *batch) command(i int) []string {
	if i == 0 {
		return b.words[:b.ends[0]]
	}
	return b.words[b.ends[i-1]:b.ends[i]]
}

// verdict returns what keeps the answers from being of use. Those that concern one key alone are left to the caller: no
// such key, a wrong type, and a refused MEMORY USAGE.
func (b *batch) verdict() error {
	for i := range b.answers {
		err := b.answers[i].err
		if err == nil || errors.Is(err, goredis.Nil) || isWrongType(err) || b.command(i)[0] == "MEMORY" && isRefused(err) {
			continue
		}
		return err
	}
	return nil
}

// through sends the commands by a pipeline of go-redis.
func (b *batch) through(ctx context.Context, pipe goredis.Pipeliner) error {
	for i := range b.ends {
		words := b.command(i)
		args := make([]any, len(words))
		for j, word := range words {
			args[j] = word
		}
		pipe.Do(ctx, args...)
	}
	cmds, err := pipe.Exec(ctx)
	b.answers = make([]answer, len(b.ends))
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
