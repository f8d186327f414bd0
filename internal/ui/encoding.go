package ui

import (
	"io"
	"strings"
	"unicode/utf8"
)

// asciiMarks are the marks of our texts, and what stands for them where the terminal may not have them.
var asciiMarks = strings.NewReplacer("→", "->", "…", "...")

// InEncoding returns w. Where w is a terminal that may not have the marks of our texts, what is written gets others.
func InEncoding(w io.Writer, env func(string) string) io.Writer {
	file, isFile := w.(descriptor)
	if _, isTerminal := TerminalWidth(w); !isFile || !isTerminal || drawsBlocks(env) {
		return w
	}
	return &asciiWriter{descriptor: file, out: w}
}

// descriptor is what a terminal is known by.
type descriptor interface{ Fd() uintptr }

type asciiWriter struct {
	descriptor
	out io.Writer
	cut []byte // the beginning of a character whose rest is still to come
}

// Write writes p, but for a character at its end that is cut off.
func (w *asciiWriter) Write(p []byte) (int, error) {
	text := append(w.cut, p...)
	whole := len(text)
	for i := max(whole-utf8.UTFMax+1, 0); i < whole; i++ {
		if utf8.RuneStart(text[i]) && !utf8.FullRune(text[i:]) {
			whole = i
			break
		}
	}
	w.cut = append([]byte(nil), text[whole:]...)
	if _, err := asciiMarks.WriteString(w.out, string(text[:whole])); err != nil {
		return 0, err
	}
	return len(p), nil
}
