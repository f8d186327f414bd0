package record

import (
	"context"
	"errors"
)

// Entry is what a store holds in one place: a document, one of its fields, or a Redis key.
type Entry struct {
	// Place names it for people, without secrets: "monitoring.since", "lanyard:user_kv:94490510688792576",
	// "api_key:lnyd_…1f2e3d4c".
	Place string

	// Apps are those that read the place. An app reads the entries of a store in their order.
	Apps Apps

	// TextOnly tells that the place holds texts alone, for KV.
	TextOnly bool

	// Fields are the pairs, for KV, or the counters, for Metrics. Unreadable says of fields that the app cannot read why, for
	// people and without values, by name. They are among Fields where their meaning is clear all the same.
	Fields     map[string]Value
	Unreadable map[string]string

	// Time is what stands there, as [Timestamp] takes it; with a Fault where the app cannot read it, as it can an int64 alone:
	// for LastSeen in Unix milliseconds, whatever it means, for MonitoringSince in Unix seconds.
	Time any

	// APIKey is an API key that is said to be the user's; Authenticates tells that whoever sends it is taken for the user
	// by the Apps. An entry without Apps may authenticate all the same, by the app that the store's other entries are for.
	APIKey        string
	Authenticates bool

	// Fault says for people, without values, why the app cannot read what stands there, or that it is one of several
	// documents. It is empty where the app can.
	Fault string
}

// Empty reports whether the place holds nothing of the kind, such as a document without pairs.
func (e Entry) Empty(kind Kind) bool {
	switch kind.Shape() {
	case FieldsShape:
		return len(e.Fields) == 0
	case TimeShape:
		return e.Time == nil
	}
	return e.APIKey == ""
}

// PairChange is what becomes of the pairs in one place. The zero value changes nothing.
type PairChange struct {
	Set   map[string]Value
	Unset []string
}

// Empty reports whether c changes nothing.
func (c PairChange) Empty() bool { return len(c.Set) == 0 && len(c.Unset) == 0 }

// ErrContended tells that somebody else kept changing what was to be changed.
var ErrContended = errors.New("somebody else keeps changing it")

// Persistence is a store as an app's own persistence layer uses it: what it holds of single users, place by place, and changes
// that are conditional on what was read.
//
// An error of a changing method means that the fate of the change is unknown; the same call again is safe.
type Persistence interface {
	// Entries returns what the store holds of the user, of the kind, in the order in which the apps read it. A place that
	// holds nothing is left out; one that holds something empty is not. For a kind that is nobody's, user does not matter. A
	// store that cannot be read is an error; a value that cannot be read is a Fault.
	//
	// Of API keys only those are found that can be looked up by the user; see FindAPIKeys.
	Entries(ctx context.Context, kind Kind, user UserID) ([]Entry, error)

	// UpdatePairs changes the user's pairs in the place that the app writes, and in every other place where the user has pairs.
	// Decide says for each what becomes of it; what it gets is an entry without Fields where the place holds nothing yet. A
	// place is changed as a whole or not at all, and only if it still holds what decide saw: else decide is asked anew, and
	// [ErrContended] ends that after a while. What decide returns for one place is written before it is asked for the next.
	// Its error is returned as it is. Decide must fail for an entry with a Fault.
	//
	// A document that is lanyardctl's work alone, before the change or since it is new, carries the mark of that afterwards.
	//
	// It returns the names of the places that changed.
	UpdatePairs(ctx context.Context, app App, user UserID, decide func(Entry) (PairChange, error)) (changed []string, err error)

	// FindAPIKeys returns all API keys that authenticate the user, and what else the store holds of the user's API keys,
	// as Entries does. It may look at every key of the store.
	FindAPIKeys(ctx context.Context, user UserID) ([]Entry, error)

	// KeyOwners returns whom an API key authenticates, as entries: Place, Apps and Authenticates. More than one is a fault of
	// the data. It reports users as the store has them.
	KeyOwners(ctx context.Context, key string) ([]KeyOwner, error)

	// RevokeAPIKeys makes that none of the keys authenticates the user any more, which are those that FindAPIKeys returned,
	// and none that the user was given meanwhile. With keepTrace something stays that tells that the user had one here, if
	// the store has a way to do so; without, nothing stays. What others have is left alone.
	RevokeAPIKeys(ctx context.Context, user UserID, keys []string, keepTrace bool) error

	// GiveAPIKey makes key the user's only API key here, besides such as FindAPIKeys alone finds, in one step where the store
	// can, and otherwise so that a process which is killed leaves the user without a key that authenticates, and the next
	// call finds what it left. Where the app keeps no API keys in the store it does so only if the store holds something of the
	// user's API keys, and reports whether it did.
	GiveAPIKey(ctx context.Context, app App, user UserID, key string) (given bool, err error)

	// UpdateCounters changes the counters. Decide gets what the store holds, and what lanyardctl noted there with the last
	// change (nil for nothing), and returns counters to set (those that it leaves out stay) and the note; both are written
	// in one step, if the store still holds what decide saw, else decide is asked anew. Apps do not see the note. Decide
	// must fail for an entry with a Fault.
	UpdateCounters(ctx context.Context, decide func(held Entry, note []byte) (set map[string]Value, newNote []byte, err error)) error

	// Limits returns what the store can hold.
	Limits() Limits
}

// KeyOwner is whom an API key authenticates.
type KeyOwner struct {
	Place string // without secrets
	Apps  Apps
	User  UserID // zero where what stands there is no user id
	Fault string // as in [Entry]
}

// Announcer tells running apps of a change.
type Announcer interface {
	// Announce publishes the message on the channel of the apps, if the user's pairs did not change in this store while
	// the message was made; else it is made anew. It returns how many listen.
	Announce(ctx context.Context, user UserID, message func(context.Context) ([]byte, error)) (listeners int64, err error)
}
