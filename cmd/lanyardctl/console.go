package main

import (
	"cmp"
	"io"
	"strings"
	"sync"

	"golang.org/x/term"
)

// console is the standard error stream of a run: logs, notices and the progress bar share it. It hides secrets, and
// takes the bar off the last line before it writes a line of its own.
type console struct {
	mu    sync.Mutex
	out   io.Writer // hides secrets
	drawn bool      // the bar stands on the last line
}

// newConsole returns a console that writes to out, which hides secrets.
func newConsole(out io.Writer) *console { return &console{out: out} }

const eraseLine = "\r\x1b[2K"

// Write writes whole lines.
func (c *console) Write(p []byte) (int, error) {
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
type barWriter struct{ *console }

func (w barWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drawn = true
	return w.out.Write(p)
}

// leaveBar ends the bar's line, so that the bar stays.
func (c *console) leaveBar() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.drawn {
		c.drawn = false
		// A console that cannot be written to has no line to end.
		_, _ = io.WriteString(c.out, "\n")
	}
}

// terminalWidth returns the columns of the terminal that w writes to, and false where w is no terminal.
func terminalWidth(w io.Writer) (int, bool) {
	file, ok := w.(interface{ Fd() uintptr })
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil || width <= 0 {
		return 80, true
	}
	return width, true
}

// lookOf returns how a text for w is laid out.
func lookOf(w io.Writer, env func(string) string) look {
	width, terminal := terminalWidth(w)
	return look{Width: width, Colour: wantsColour(w, env), Blocks: terminal && drawsBlocks(env)}
}

// drawsBlocks tells whether the locale's encoding has block elements, as UTF-8 has, and the terminal is likely to have them.
func drawsBlocks(env func(string) string) bool {
	locale := cmp.Or(env("LC_ALL"), env("LC_CTYPE"), env("LANG"))
	encoding := strings.ReplaceAll(strings.ToLower(locale), "-", "")
	return strings.Contains(encoding, "utf8") && env("TERM") != "dumb"
}

// wantsColour tells whether text for w may be coloured.
func wantsColour(w io.Writer, env func(string) string) bool {
	_, terminal := terminalWidth(w)
	return terminal && env("NO_COLOR") == "" && env("TERM") != "dumb"
}
