package persistence

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/lanyardctl/lanyardctl/record"
)

// countersNote is what lanyardctl keeps beside the counters of a store, by the counter's name.
type countersNote map[string]counterState

// noteVersion is that of the form. An older lanyardctl must not write a note of a newer one, of which it would lose a part.
const noteVersion = 1

type noteJSON struct {
	Version  int          `json:"version"`
	Counters countersNote `json:"counters"`
}

func (n countersNote) encode() []byte {
	text, err := json.Marshal(noteJSON{noteVersion, n})
	if err != nil {
		panic(err) // it holds finite numbers and texts alone
	}
	return text
}

func parseNote(text []byte) (countersNote, error) {
	if text == nil {
		return nil, nil
	}
	var n noteJSON
	if err := json.Unmarshal(text, &n); err != nil {
		return nil, fmt.Errorf("the note that lanyardctl keeps beside the counters cannot be read: %w", err)
	}
	if n.Version != noteVersion {
		return nil, fmt.Errorf("the note that lanyardctl keeps beside the counters has version %d, and this lanyardctl knows %d alone", n.Version, noteVersion)
	}
	return n.Counters, nil
}

// number is an int64 or a float64 from zero up in a note. The zero value is zero.
type number struct{ v record.Value }

func (n number) value() record.Value {
	if n.v == nil {
		return int64(0)
	}
	return n.v
}

// MarshalJSON implements [json.Marshaler].
func (n number) MarshalJSON() ([]byte, error) { return record.JSON(n.value()), nil }

// UnmarshalJSON implements [json.Unmarshaler].
func (n *number) UnmarshalJSON(text []byte) error {
	v, ok := record.ParseNumber(string(text))
	if !ok {
		return errors.New("no number")
	}
	v, reason, detail := record.Counter("", v)
	if reason != "" {
		return errors.New(detail)
	}
	n.v = v
	return nil
}
