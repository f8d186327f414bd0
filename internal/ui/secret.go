package ui

import (
	"context"
	"fmt"
	"io"

	"golang.org/x/term"
)

// terminalOf returns the descriptor of the terminal that r reads from, and false where it reads from none.
func terminalOf(r io.Reader) (fd int, ok bool) {
	file, ok := r.(interface{ Fd() uintptr })
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return 0, false
	}
	return int(file.Fd()), true
}

// IsTerminal reports whether r reads from a terminal.
func IsTerminal(r io.Reader) bool {
	_, ok := terminalOf(r)
	return ok
}

// AskSecret asks on out for a line that the terminal which in reads from does not show. The terminal is as before
// afterwards, also where ctx is cancelled.
func AskSecret(ctx context.Context, in io.Reader, out io.Writer, question string) (string, error) {
	fd, _ := terminalOf(in)
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	if _, err := io.WriteString(out, question); err != nil {
		return "", err
	}
	type answer struct {
		text []byte
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		answered <- answer{text, err}
	}()
	defer fmt.Fprintln(out) // which the terminal did not show either
	select {
	case a := <-answered:
		return string(a.text), a.err
	case <-ctx.Done():
		// The terminal that cannot be restored is gone.
		_ = term.Restore(fd, before)
		return "", context.Cause(ctx)
	}
}
