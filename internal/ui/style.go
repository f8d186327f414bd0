package ui

import (
	"cmp"
	"io"
	"strings"

	"golang.org/x/term"
)

// TerminalWidth returns the columns of the terminal that w writes to, and false where w is no terminal.
func TerminalWidth(w io.Writer) (int, bool) {
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

// StyleOf returns how a text for w is laid out.
func StyleOf(w io.Writer, env func(string) string) Style {
	width, terminal := TerminalWidth(w)
	return Style{Width: width, Colour: wantsColour(w, env), Blocks: terminal && drawsBlocks(env)}
}

// drawsBlocks tells whether the locale's encoding has block elements, as UTF-8 has, and the terminal is likely to have
// them.
func drawsBlocks(env func(string) string) bool {
	locale := cmp.Or(env("LC_ALL"), env("LC_CTYPE"), env("LANG"))
	encoding := strings.ReplaceAll(strings.ToLower(locale), "-", "")
	return strings.Contains(encoding, "utf8") && env("TERM") != "dumb"
}

// Redraws tells whether w is a terminal on which a line can be drawn over.
func Redraws(w io.Writer, env func(string) string) bool {
	_, terminal := TerminalWidth(w)
	return terminal && env("TERM") != "dumb"
}

// wantsColour tells whether text for w may be coloured.
func wantsColour(w io.Writer, env func(string) string) bool {
	return Redraws(w, env) && env("NO_COLOR") == ""
}

// Style is how a report for people is laid out.
type Style struct {
	Width  int // columns; zero for no limit
	Colour bool
	Blocks bool // bars may be of block elements
}

// The colours, and one for what stands out.
const (
	Bold   = "1"
	Red    = "31"
	Green  = "32"
	Yellow = "33"
)

// Paint returns the text in the colour, or as it is where there are no colours.
func (l Style) Paint(code, text string) string {
	if !l.Colour || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
