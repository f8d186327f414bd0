// Package restore writes superseded values back into a target: single key-value pairs and API keys, each where the
// document still is what was read. What stands in their place is kept first.
package restore

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
)

// MaxValues is how many values can be written back at a time.
const MaxValues = record.MaxSteps

// Options say what is written back, and where.
type Options struct {
	Documents record.Documents // of the target
	Values    []record.Record  // of kv with one pair, of api_keys with the key; at most MaxValues
	DryRun    bool
	Keep      record.ArchiveFunc // for what is overwritten
	Retry     retry.Policy
}

// Status is what became of a value.
type Status string

// The statuses.
const (
	Restored  Status = "restored"
	Unchanged Status = "unchanged" // the target holds it
	Refused   Status = "refused"   // Why says for what reason
)

// Result is what became of one value.
type Result struct {
	Status Status
	Why    string // for people, without the value
}

func refused(why string) Result { return Result{Refused, why} }

// rounds bounds how often a document is read again that somebody else changes meanwhile.
const rounds = 5

// MaxBytes bounds the values, and the documents that they go into, which are held together.
const MaxBytes = 64 << 20

// Run writes the values back and returns what became of each, in their order. An error means that the fate of all is
// unknown; writing them back again is safe.
func Run(ctx context.Context, o Options) ([]Result, error) {
	if len(o.Values) > MaxValues {
		return nil, fmt.Errorf("%d values are more than %d", len(o.Values), MaxValues)
	}
	w := work{Options: o, results: make([]Result, len(o.Values))}
	byRecord := make(map[of][]int)
	for i, v := range o.Values {
		if it := o.Documents.Limits().Apply(record.Item{Kind: v.Kind, Record: &v}); len(it.Rejects) > 0 {
			w.results[i] = refused(string(it.Rejects[0].Reason) + ": " + it.Rejects[0].Detail)
			continue
		}
		who := of{v.Kind, v.User}
		byRecord[who] = append(byRecord[who], i)
	}
	if err := w.refuseTaken(ctx, byRecord); err != nil {
		return nil, err
	}
	for round := 0; len(byRecord) > 0; round++ {
		again, err := w.round(ctx, byRecord)
		if err != nil {
			return nil, err
		}
		if round == rounds {
			for _, values := range again {
				w.set(values, refused("somebody else keeps changing the document"))
			}
			break
		}
		byRecord = again
	}
	return w.results, nil
}

// refuseTaken takes the API keys out of byRecord that another document of the target has. The app makes no index that would
// keep two users from having one key.
func (w *work) refuseTaken(ctx context.Context, byRecord map[of][]int) error {
	wanted := make(map[string]of)
	for who, values := range byRecord {
		if who.kind == record.APIKeys {
			wanted[w.Values[values[0]].APIKey] = who
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	taken := make(map[of]bool)
	err := w.Retry.Do(ctx, func() error {
		return w.Documents.Outline(ctx, record.CollectionOf(record.APIKeys), func(documents []record.Document) error {
			for _, d := range documents {
				if who, ok := wanted[d.Held.APIKey]; ok && (d.Numeric || d.User != who.user) {
					taken[who] = true
				}
			}
			return nil
		})
	})
	for who := range taken {
		w.set(byRecord[who], refused("another document of the target has this key"))
		delete(byRecord, who)
	}
	return err
}

// of is whose document of a kind is meant.
type of struct {
	kind record.Kind
	user record.UserID
}

type work struct {
	Options
	results []Result
}

func (w *work) set(values []int, r Result) {
	for _, i := range values {
		w.results[i] = r
	}
}

// round writes what can be written, and returns what has to be looked at again.
func (w *work) round(ctx context.Context, byRecord map[of][]int) (again map[of][]int, err error) {
	documents, err := w.read(ctx, byRecord)
	if err != nil {
		return nil, err
	}
	var steps []record.Step
	var whose []of
	var lost []record.Superseded
	changing := make(map[of][]int)
	for who, values := range byRecord {
		join, changes, overwritten := w.decide(who, values, documents[who])
		if len(changes) == 0 {
			continue
		}
		steps, whose, changing[who] = append(steps, w.Documents.Joined(join)), append(whose, who), changes
		lost = append(lost, overwritten...)
	}
	if len(steps) == 0 || w.DryRun {
		for _, values := range changing {
			w.set(values, Result{Status: Restored})
		}
		return nil, nil
	}
	if err := w.Keep(lost); err != nil {
		return nil, err
	}
	var became []record.StepResult
	err = w.Retry.Do(ctx, func() (err error) {
		became, err = w.Documents.Apply(ctx, steps)
		return err
	})
	if err != nil {
		return nil, err
	}
	again = make(map[of][]int)
	for i, result := range became {
		values := changing[whose[i]]
		switch result {
		case record.StepDone, record.StepNoop:
			w.set(values, Result{Status: Restored})
		case record.StepModified:
			again[whose[i]] = values
		case record.StepDuplicate:
			w.set(values, refused("another document of the target has this key, or this user's identity"))
		case record.StepRefused:
			w.set(values, refused("the target refuses the document"))
		}
	}
	return again, nil
}

// read returns the documents of the users, whole.
func (w *work) read(ctx context.Context, byRecord map[of][]int) (map[of][]record.Document, error) {
	users := make(map[record.Kind][]record.UserID)
	for who := range byRecord {
		users[who.kind] = append(users[who.kind], who.user)
	}
	found := make(map[of][]record.Document)
	for kind, list := range users {
		var whole []record.Document
		err := w.Retry.Do(ctx, func() (err error) {
			whole, err = w.Documents.OfUsers(ctx, kind, list, MaxBytes)
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, d := range whole {
			who := of{kind, d.User}
			found[who] = append(found[who], d)
		}
	}
	return found, nil
}

// decide returns how the values come into the document of their user, which of them change it, and what they overwrite.
// It enters the results of the others.
func (w *work) decide(who of, values []int, documents []record.Document) (join record.Join, changes []int, lost []record.Superseded) {
	var held record.Held
	switch {
	case len(documents) > 1:
		w.set(values, refused("the user has several documents: lanyardctl sweep --dedupe makes one of them"))
		return join, nil, nil
	case len(documents) == 1 && documents[0].Repeated:
		w.set(values, refused("the document holds two fields of one name"))
		return join, nil, nil
	case len(documents) == 1:
		held = documents[0].Held
	case who.kind == record.APIKeys:
		w.set(values, refused("the user has no document of an API key in the target"))
		return join, nil, nil
	}
	join = record.Join{Collection: record.CollectionOf(who.kind), User: who.user, Documents: documents}
	overwritten := record.Document{Kind: who.kind, User: who.user, Held: record.Held{Fields: make(map[string]record.Value)}}
	for _, i := range values {
		v := w.Values[i]
		if who.kind == record.APIKeys {
			if held.APIKey == v.APIKey && held.Malformed == nil {
				w.results[i] = Result{Status: Unchanged}
				continue
			}
			join.Decision.APIKey = v.APIKey
			overwritten.Held.APIKey, overwritten.Held.Malformed = held.APIKey, held.Malformed
			changes = append(changes, i)
			continue
		}
		if held.Malformed != nil {
			w.results[i] = refused("what stands in the place of the user's pairs is no document")
			continue
		}
		for name, field := range v.Fields {
			stands, exists := held.Fields[name]
			if exists && record.Equal(stands, field.Value) {
				w.results[i] = Result{Status: Unchanged}
				continue
			}
			if join.Decision.Set == nil {
				join.Decision.Set = make(map[string]record.Value)
			}
			join.Decision.Set[name] = field.Value
			if exists {
				overwritten.Held.Fields[name] = stands
			}
			changes = append(changes, i)
		}
	}
	join.Decision.Write = len(changes) > 0
	return join, changes, overwritten.Superseded()
}

// Conflict returns an error where two of the values are for one place in the target, and are not the same, or where one API
// key is for two users.
func Conflict(values []record.Record) error {
	type place struct {
		of
		field string
	}
	known := make(map[place]record.Value)
	users := make(map[string]record.UserID) // by API key
	for _, v := range values {
		if other, exists := users[v.APIKey]; exists && v.Kind == record.APIKeys && other != v.User {
			return fmt.Errorf("one API key is for several users: %s and %s", other, v.User)
		}
		users[v.APIKey] = v.User
		at, value := place{of: of{v.Kind, v.User}}, record.Value(v.APIKey)
		for _, name := range slices.Sorted(maps.Keys(v.Fields)) {
			at.field, value = name, v.Fields[name].Value
		}
		if other, exists := known[at]; exists && !record.Equal(other, value) {
			return fmt.Errorf("several values are for one place: %s of user %s", at.kind, at.user)
		}
		known[at] = value
	}
	return nil
}
