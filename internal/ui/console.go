package ui

import (
	"io"
	"sync"
)

// Console is the standard error stream of a run: logs, notices and the progress bar share it. It hides secrets, and
// takes the bar off the last line before it writes a line of its own.
type Console struct {
	mu    sync.Mutex
	out   io.Writer // hides secrets
	drawn bool      // the bar stands on the last line
}

// NewConsole returns a console that writes to out, which hides secrets.
func NewConsole(out io.Writer) *Console { return &Console{out: out} }

const eraseLine = "\r\x1b[2K"

// Write writes whole lines. It implements [io.Writer].
func (c *Console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.drawn {
		c.drawn = false
		if _, err := io.WriteString(c.out, eraseLine); err != nil {
			return 0, err
		}
	}
	return c.out.Write(p)
}

// barWriter is where the progress bar is drawn.
type barWriter struct{ *Console }

func (w barWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drawn = true
	return w.out.Write(p)
}

// leaveBar ends the bar's line, so that the bar stays.
func (c *Console) leaveBar() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.drawn {
		c.drawn = false
		// A console that cannot be written to has no line to end.
		_, _ = io.WriteString(c.out, "\n")
	}
}
