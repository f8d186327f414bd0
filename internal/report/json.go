package report

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
)

// byKind is an object with one member for each kind that was asked for, in the order of the kinds.
type byKind[T any] struct {
	only   record.Kinds
	counts [record.KindCount]T
}

// MarshalJSON writes the members in order, which a map would not.
func (k byKind[T]) MarshalJSON() ([]byte, error) {
	var o object
	for _, kind := range k.only.List() {
		o = append(o, member{kind.String(), k.counts[kind]})
	}
	return json.Marshal(o)
}

// object is an object whose members keep their order.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON implements [json.Marshaler].
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := plainJSON(m.name)
		if err != nil {
			return nil, err
		}
		value, err := plainJSON(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// plainJSON returns v as JSON, in which what HTML would obey stands as it is.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// WriteJSON writes v as one indented JSON object, in which a terminal finds nothing to obey.
func WriteJSON(w io.Writer, v any) error {
	text, err := indented(v)
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

// indented returns what [WriteJSON] writes.
func indented(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return ui.ShownJSON(b.Bytes()), nil
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
