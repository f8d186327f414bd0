package ui

import (
	"io"
	"strings"
	"sync"
)

// Console is the standard error stream of a run: logs, notices, the progress bar and what is waited for share it. It
// hides secrets, and takes what is drawn off the last line before it writes a line of its own.
type Console struct {
	mu    sync.Mutex
	out   io.Writer
	red   Sanitizer
	look  Style
	drawn int // columns of the last line that are drawn on
}

// NewConsole returns a console that writes to out what red leaves of it.
func NewConsole(out io.Writer, red Sanitizer, look Style) *Console {
	return &Console{out: out, red: red, look: look}
}

// Write writes whole lines. It implements [io.Writer].
func (c *Console) Write(p []byte) (int, error) { return len(p), c.put(c.red.Text(string(p))) }

// put writes lines without secrets.
func (c *Console) put(lines string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.wipe(); err != nil {
		return err
	}
	_, err := io.WriteString(c.out, lines)
	return err
}

// wrappingWriter breaks the lines that are longer than the console is wide.
type wrappingWriter struct{ *Console }

func (w wrappingWriter) Write(p []byte) (int, error) {
	return len(p), w.put(Wrapped(w.red.Text(string(p)), w.look.Width))
}

// wipe takes off what is drawn. Spaces do what every terminal understands.
func (c *Console) wipe() error {
	if c.drawn == 0 {
		return nil
	}
	blank := strings.Repeat(" ", c.drawn)
	c.drawn = 0
	_, err := io.WriteString(c.out, "\r"+blank+"\r")
	return err
}

// draw puts text on the last line in place of what was drawn there before. What does not fit into the width is cut off,
// since a line that goes on below could not be drawn over.
func (c *Console) draw(text string) {
	text = c.red.Text(text)
	if c.look.Width > 0 {
		text = terminal.Truncate(text, c.look.Width-1, "")
	}
	columns := Columns(text)
	c.mu.Lock()
	defer c.mu.Unlock()
	rest := strings.Repeat(" ", max(c.drawn-columns, 0))
	c.drawn = columns
	// Progress that cannot be shown is no reason to stop.
	_, _ = io.WriteString(c.out, "\r"+text+rest)
}

// erase takes off what is drawn.
func (c *Console) erase() {
	c.mu.Lock()
	defer c.mu.Unlock()
	// A console that cannot be written to has nothing to take off.
	_ = c.wipe()
}

// leave ends the line that is drawn on, so that it stays.
func (c *Console) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.drawn > 0 {
		c.drawn = 0
		// A console that cannot be written to has no line to end.
		_, _ = io.WriteString(c.out, "\n")
	}
}
