package sweep

import (
	"cmp"
	"slices"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

// plan is what should become of one user's documents in a collection: they are right, or joined as join says and some
// removed, or left.
type plan struct {
	join    *record.Join      // nil where nothing is joined
	remove  []record.Document // those that go
	first   bool              // they go before the other is changed, for a unique index to take it
	action  record.Action
	left    LeftReason // empty unless the documents are left
	emptied int        // of remove, documents that say nothing
}

// nothing reports whether the documents are right.
func (r plan) nothing() bool { return r.join == nil && len(r.remove) == 0 && r.left == "" }

// sorted returns the documents in the order in which they stay: those that the app sees before the others.
func sorted(docs []record.Document) []record.Document {
	docs = slices.Clone(docs)
	slices.SortFunc(docs, func(a, b record.Document) int {
		return cmp.Or(cmp.Compare(boolInt(a.Numeric), boolInt(b.Numeric)), cmp.Compare(a.ID, b.ID))
	})
	return docs
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// decideDate makes one document of a user's in monitoring, with the date that won: none of theirs that is plausible is
// before it.
func decideDate(user record.UserID, docs []record.Document, date int64, bounds record.Bounds, otherID bool) plan {
	docs = sorted(docs)
	var held record.Held
	if len(docs) > 0 {
		held = docs[0].Held
	}
	earliest := record.Record{Kind: record.MonitoringSince, User: user, Time: date}
	d := record.Merge(earliest, record.Existing{Held: held}, bounds, record.FailOnConflict)
	if len(docs) == 1 && !docs[0].Numeric && !d.Write {
		return plan{}
	}
	r := plan{
		join:   &record.Join{Collection: record.MonitoringCollection, User: user, Documents: docs, OtherID: otherID, Decision: d},
		action: record.ActionCreated,
	}
	switch {
	case len(docs) > 1:
		r.action, r.remove = record.ActionMerged, docs[1:]
	case len(docs) == 1:
		r.action = record.ActionChanged
	}
	return r
}

// decideDuplicates makes one document of a user's in a collection without dates, and text of its user id. Keyless tells
// that several documents of API keys have no key, which a unique index takes for the same.
func decideDuplicates(c record.Collection, user record.UserID, docs []record.Document, keyless bool, now time.Time) plan {
	var r plan
	if c == record.APIKeysCollection {
		if keyless || len(docs) > 1 {
			docs, r.remove = withoutKeyless(docs, keyless)
			r.emptied = len(r.remove)
		}
	}
	docs = sorted(docs)
	r.action = record.ActionRemoved
	if len(docs) == 0 || len(docs) == 1 && !docs[0].Numeric && len(r.remove) == 0 {
		return r
	}
	r.join = &record.Join{Collection: c, User: user, Documents: docs}
	if len(docs) == 1 && !docs[0].Numeric {
		return r
	}
	r.action = record.ActionChanged
	if len(docs) > 1 {
		r.action = record.ActionMerged
	}
	for _, doc := range docs {
		if doc.Held.Malformed != nil {
			return plan{left: LeftMalformed}
		}
	}
	switch c {
	case record.APIKeysCollection:
		for _, doc := range docs[1:] {
			if doc.Held.APIKey != docs[0].Held.APIKey {
				return plan{left: LeftAPIKeys}
			}
		}
		// The one that stays gets the user id of one that goes, and says nothing.
		r.first = docs[0].Numeric && slices.ContainsFunc(r.remove, func(d record.Document) bool { return !d.Numeric })
	case record.LastSeenCollection:
		r.join.Decision = joinTimes(user, docs, now)
	case record.KVCollection:
		var ok bool
		if r.join.Decision, ok = joinPairs(user, docs, now); !ok {
			return plan{left: LeftKV}
		}
	}
	r.remove = append(r.remove, docs[1:]...)
	return r
}

// withoutKeyless splits off the documents without a key: all of them, or all but one where no document has one.
func withoutKeyless(docs []record.Document, all bool) (kept, gone []record.Document) {
	for _, doc := range sorted(docs) {
		if doc.Held.APIKey == "" && doc.Held.Malformed == nil {
			gone = append(gone, doc)
		} else {
			kept = append(kept, doc)
		}
	}
	if len(kept) == 0 && !all {
		return gone[:1], gone[1:]
	}
	return kept, gone
}

// joinTimes merges the last-seen times of the documents into that of the first, as [record.Merge] does, which also mends
// its type.
func joinTimes(user record.UserID, docs []record.Document, now time.Time) record.Decision {
	bounds := record.TimeBounds(record.LastSeen, user, now)
	field := record.TimeField(record.LastSeen)
	held := record.Held{Found: true, Times: map[string]any{}}
	if v, ok := docs[0].Held.Times[field]; ok {
		held.Times[field] = v
	}
	var joined record.Decision
	for _, doc := range docs {
		m, reason, _ := record.Timestamp(record.LastSeen, doc.Held.Times[field], bounds)
		if reason != "" {
			continue
		}
		r := record.Record{Kind: record.LastSeen, User: user, Time: m.Time}
		if d := record.Merge(r, record.Existing{Held: held}, bounds, record.FailOnConflict); d.Write {
			joined, held.Times[field] = d, d.Time
		}
	}
	return joined
}

// joinPairs merges the pairs of the documents into those of the first, as [record.Merge] does where nobody knows who
// wrote them. It reports false where they differ.
func joinPairs(user record.UserID, docs []record.Document, now time.Time) (record.Decision, bool) {
	held := record.Held{Found: true, Fields: map[string]record.Value{}}
	for name, v := range docs[0].Held.Fields {
		held.Fields[name] = v
	}
	joined := record.Decision{Set: map[string]record.Value{}}
	for _, doc := range docs[1:] {
		r := record.Record{Kind: record.KV, User: user, Fields: make(map[string]record.Field, len(doc.Held.Fields))}
		for name, v := range doc.Held.Fields {
			r.Fields[name] = record.Field{Value: v}
		}
		d := record.Merge(r, record.Existing{Held: held}, record.TimeBounds(record.KV, user, now), record.FailOnConflict)
		if d.Conflicts > 0 {
			return record.Decision{}, false
		}
		for name, v := range d.Set {
			joined.Set[name], held.Fields[name], joined.Write = v, v, true
		}
	}
	return joined, true
}

// steps returns the steps of a plan in their order.
func (r plan) steps(documents record.Documents) []record.Step {
	var removed []record.Step
	for _, doc := range r.remove {
		removed = append(removed, record.Step{Collection: doc.Collection, ID: doc.ID, Before: doc.Raw})
	}
	if r.join == nil {
		return removed
	}
	// Also where it changes nothing: the others go, and come back, only as long as the one that stays is what it is.
	joined := []record.Step{documents.Joined(*r.join)}
	if r.first {
		return append(removed, joined...)
	}
	return append(joined, removed...)
}
