package ui

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// EscapeJSON escapes in JSON text what an encoder leaves as it is: DEL, the controls above it, and whatever else is no
// mark on paper, such as a change of the direction of writing. All of them stand inside strings.
func EscapeJSON(text []byte) []byte { return escapeJSON(text, math.MaxInt) }

// ShownJSON is [EscapeJSON] for what is shown and not kept: a string that is longer than any honest one is cut.
func ShownJSON(text []byte) []byte { return escapeJSON(text, longestText) }

// escapeJSON escapes, and leaves so many characters of each string.
func escapeJSON(text []byte, most int) []byte {
	var b bytes.Buffer
	inside, n := false, 0 // of a string
	for len(text) > 0 {
		unit := text[:jsonUnit(text)]
		text = text[len(unit):]
		switch {
		case unit[0] == '"':
			if inside && n > most {
				fmt.Fprintf(&b, "… (%s)", Plural(int64(n), "character"))
			}
			inside, n = !inside, 0
		case inside:
			if n++; n > most {
				continue
			}
		}
		writeJSONUnit(&b, unit)
	}
	return b.Bytes()
}

// jsonUnit returns the length of the character or the escape that text begins with.
func jsonUnit(text []byte) int {
	if text[0] != '\\' {
		_, size := utf8.DecodeRune(text)
		return size
	}
	if len(text) > 1 && text[1] == 'u' {
		return min(len(`\u0000`), len(text))
	}
	return min(len(`\n`), len(text))
}

func writeJSONUnit(b *bytes.Buffer, unit []byte) {
	r, _ := utf8.DecodeRune(unit)
	switch {
	case r < 0x7f || unicode.IsPrint(r):
		b.Write(unit)
	case r > 0xffff:
		high, low := utf16.EncodeRune(r)
		fmt.Fprintf(b, `\u%04x\u%04x`, high, low)
	default:
		fmt.Fprintf(b, `\u%04x`, r)
	}
}

// jsonLines passes lines of JSON on with [ShownJSON].
type jsonLines struct{ io.Writer }

// Write implements [io.Writer]. It returns the length of p, since its caller knows of no other.
func (w jsonLines) Write(p []byte) (int, error) {
	if _, err := w.Writer.Write(ShownJSON(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}
