package record

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// Deletion is what became of a document that was to be deleted.
type Deletion uint8

// The deletions.
const (
	DeletionDone     Deletion = iota // it is gone
	DeletionAbsent                   // its user has no document of the kind
	DeletionModified                 // it is not what was read: somebody changed it, and it stays
)

// Deleter deletes documents of a target.
type Deleter interface {
	// Delete deletes the documents, as they were read: each where it still holds exactly that. It returns what became of
	// each, in order. At most [MaxSteps] at a time, each user and kind once.
	//
	// What the documents hold goes to keep before the first of them goes. An error means that the fate of all is unknown;
	// deleting them again is safe, and what is gone by then is absent. A document that is nobody's is never deleted: it is
	// an error, and nothing is done. The counters are, since they only grow: that a source has none any more says nothing.
	Delete(ctx context.Context, documents []Document, keep ArchiveFunc) ([]Deletion, error)
}

// CheckDeletable returns an error where one of the documents may not be deleted, or where they are too many.
func CheckDeletable(documents []Document) error {
	if len(documents) > MaxSteps {
		return fmt.Errorf("%d documents to delete are more than %d", len(documents), MaxSteps)
	}
	for _, d := range documents {
		if !d.Kind.Identified() || d.User == 0 || d.Numeric {
			return fmt.Errorf("a document of %s without a valid user id is not deleted", d.Kind)
		}
	}
	return nil
}

// Holds reports whether the document still holds what it did when it was read, with values of the same meaning.
func (d Document) Holds(now Held) bool {
	was := d.Held
	same := func(a, b any) bool { return Equal(Storable(a), Storable(b)) }
	return now.Found == was.Found && now.Unmodified == was.Unmodified && now.Untyped == was.Untyped && now.APIKey == was.APIKey &&
		same(now.Malformed, was.Malformed) && maps.EqualFunc(now.Fields, was.Fields, Equal) && maps.EqualFunc(now.Times, was.Times, same)
}

// Superseded returns what the document holds, as values that give way.
func (d Document) Superseded() []Superseded {
	m := merging{r: Record{Kind: d.Kind, User: d.User}}
	for _, name := range slices.Sorted(maps.Keys(d.Held.Times)) {
		m.targetGaveWay(name, d.Held.Times[name])
	}
	for _, name := range slices.Sorted(maps.Keys(d.Held.Fields)) {
		m.targetGaveWay(name, d.Held.Fields[name])
	}
	if d.Held.APIKey != "" {
		m.targetGaveWay("key", d.Held.APIKey)
	}
	if d.Held.Malformed != nil {
		place := "key"
		if d.Kind.Shape() == FieldsShape {
			place = "kv"
		}
		m.targetGaveWay(place, d.Held.Malformed)
	}
	return m.d.Superseded
}
