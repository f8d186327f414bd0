package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
)

// parseUser reads the argument that names a user.
func parseUser(text string) (record.UserID, error) {
	user, ok := record.ParseUserID(strings.TrimSpace(text))
	if !ok {
		return 0, exit.WrongUse(typedText(text)+" is not a Discord user id", "give the digits alone, such as 94490510688792576")
	}
	return user, nil
}

// interruptible makes the call, and does not wait for it once ctx is cancelled: nothing ends a read from a terminal or a pipe.
func interruptible[T any](ctx context.Context, call func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := call()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// readInput reads all of a file, or of standard input, which may not be longer than a document of MongoDB. What is what is
// read, for people: "standard input".
func readInput(ctx context.Context, in io.Reader, what string) ([]byte, error) {
	text, err := interruptible(ctx, func() ([]byte, error) { return io.ReadAll(io.LimitReader(in, record.DefaultMaxDocument+1)) })
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", what, err)
	case len(text) > record.DefaultMaxDocument:
		return nil, exit.Failure(fmt.Errorf("%s holds more than %d MiB", what, record.DefaultMaxDocument>>20), "no user's pairs may be so large")
	case !utf8.Valid(text):
		return nil, exit.Failure(errors.New(what+" is not UTF-8"), "Lanyard keeps text alone: encode other bytes, such as by base64")
	}
	return text, nil
}

// longestLine is how long a line with a user id may be, in bytes.
const longestLine = 4096

// eachUser hands the user ids to yield that the lines of in hold, as they come. Empty lines are left out.
func eachUser(ctx context.Context, in io.Reader, yield func(record.UserID) error) error {
	lines := bufio.NewReaderSize(in, longestLine)
	for number := 1; ; number++ {
		line, err := interruptible(ctx, func() ([]byte, error) { return lines.ReadSlice('\n') })
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
			return fmt.Errorf("read standard input: %w", err)
		}
		if text := string(bytes.TrimSpace(line)); text != "" {
			user, ok := record.ParseUserID(text)
			if !ok {
				return exit.Failure(fmt.Errorf("line %d of standard input: %s is not a Discord user id", number, ui.QuotedName(text)),
					"write one id a line, the digits alone, such as 94490510688792576")
			}
			if err := yield(user); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

// calledWith returns how a command was called, with its arguments.
func calledWith(command string, args []string) string {
	for _, arg := range args {
		command += " " + invocation.Quote(arg)
	}
	return command
}
