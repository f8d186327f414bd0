package layout

import (
	"github.com/lanyardctl/lanyardctl/record"
)

// MaxValue is the size in bytes up to which a reader fetches a value: 32 MiB, twice what a MongoDB document holds. A
// hash counts with all its names and values. What is larger is [TooLarge].
const MaxValue = 32 << 20

// State says what a source holds under a key.
type State uint8

// The states.
const (
	Absent    State = iota // nothing
	Present                // a value of the layout's type
	WrongType              // a value of another type; it is not fetched
	TooLarge               // a value of the layout's type over MaxValue; it is not fetched
)

// Found is what a source holds under one key.
type Found struct {
	Key    string
	Layout Layout
	State  State

	Text string            // a Present string
	Hash map[string]string // a Present hash

	Type string // Redis's name of the type, for WrongType and TooLarge
	Size int64  // in bytes, for WrongType and TooLarge; zero where the source does not tell

	Expires bool // the key has a TTL

	// Mark is the digest of what lanyardctl last wrote there, where it was asked for; empty where there is none.
	Mark string
}

// Exists reports whether the key holds something that is Lanyard's as far as its type tells.
func (f Found) Exists() bool {
	return f.State != Absent && !(f.State == WrongType && f.Layout.Generic())
}

// Foreign reports whether the key is another application's: it has a generic prefix, and its type is wrong or what
// should be a user id is none.
func (f Found) Foreign() bool {
	if !f.Layout.Generic() || f.State == Absent {
		return false
	}
	if f.State == WrongType {
		return true
	}
	if f.Layout == APIKey {
		_, ok := f.Owner()
		return !ok
	}
	_, id := Classify(f.Key)
	_, ok := record.ParseUserID(id)
	return !ok
}

// Owner returns the user that an APIKey names.
func (f Found) Owner() (record.UserID, bool) {
	if _, key := Classify(f.Key); f.State != Present || key == "" {
		return 0, false // an empty key would let everybody in who sends none
	}
	return record.ParseUserID(f.Text)
}

// origin returns where f's text or, with a value, one of its fields came from.
func (f Found) origin() record.Origin { return record.Origin{Key: f.Key, Raw: f.Text} }

// notFetched returns f's type and size, for a value that stays in the source.
func (f Found) notFetched() record.Bytes { return record.Bytes{Type: f.Type, Size: f.Size} }

// unusable returns the reject of a key whose value was not fetched as a whole; ok is false for one that was.
func (f Found) unusable(kind record.Kind, user record.UserID) (reject record.Reject, ok bool) {
	reject = record.Reject{Key: f.Key, Kind: kind, User: user, Value: f.notFetched()}
	switch f.State {
	case WrongType:
		reject.Reason, reject.Detail = record.WrongType, f.wrongType()
	case TooLarge:
		reject.Reason, reject.Detail = record.DocumentTooLarge, "over 32 MiB; the value stays in the source"
	default:
		return record.Reject{}, false
	}
	return reject, true
}

func (f Found) wrongType() string {
	return "the key holds a " + f.Type + ", not a " + f.Layout.typeName()
}

func (l Layout) typeName() string {
	if l.IsHash() {
		return "hash"
	}
	return "string"
}

// expiring returns a note for each key with a TTL.
func expiring(notes []record.Note, founds ...Found) []record.Note {
	for _, f := range founds {
		if f.Exists() && f.Expires {
			notes = append(notes, record.Expiring)
		}
	}
	return notes
}
