package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/lanyardctl/lanyardctl/record"
)

// byKind is an object with one member for each kind that was asked for, in the order of the kinds.
type byKind[T any] struct {
	only   record.Kinds
	counts [record.KindCount]T
}

// MarshalJSON writes the members in order, which a map would not.
func (k byKind[T]) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, kind := range k.only.List() {
		if i > 0 {
			b.WriteByte(',')
		}
		text, err := json.Marshal(k.counts[kind])
		if err != nil {
			return nil, err
		}
		b.WriteString(`"` + kind.String() + `":`)
		b.Write(text)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// writeJSON writes v as one indented JSON object, in which a terminal finds nothing to obey.
func writeJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(escapeUnprintable(b.Bytes()))
	return err
}

// escapeUnprintable escapes in JSON text what the encoder leaves as it is: DEL, the controls above it, and whatever else
// is no mark on paper, such as a change of the direction of writing. All of them stand inside strings.
func escapeUnprintable(text []byte) []byte {
	var b bytes.Buffer
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r < 0x7f || unicode.IsPrint(r):
			b.Write(text[:size])
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		text = text[size:]
	}
	return b.Bytes()
}

func orEmpty[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return m
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
