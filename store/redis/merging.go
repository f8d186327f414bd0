package redis

import (
	"slices"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// merging is the task of a record that is merged.
type merging struct {
	sink    *Sink
	r       *record.Record
	outcome *record.Outcome
}

// keys implements [task].
func (m *merging) keys(seen view) []string {
	if m.r.Kind == record.APIKeys {
		return m.sink.pairOf(m.r.User, m.r.APIKey).keys(seen)
	}
	return keysOf(m.sink.layouts, m.r.Kind, m.r.User)
}

// keysOf returns the keys in which layouts keep a kind, those of older versions among them, which are read. It is not for API
// keys.
func keysOf(layouts layout.Layouts, kind record.Kind, user record.UserID) []string {
	var keys []string
	for _, l := range layouts.Written(kind) {
		keys = append(keys, keyOf(l, user))
		for _, older := range l.Older() {
			keys = append(keys, keyOf(older, user))
		}
	}
	return keys
}

// fresh implements [task].
func (m *merging) fresh(out *commands) bool {
	*m.outcome = record.Outcome{}
	for _, l := range m.sink.layouts.Written(m.r.Kind) {
		r, ok := m.sink.heldBy(l, m.r)
		if !ok {
			continue
		}
		key := keyOf(l, r.User)
		switch r.Kind.Shape() {
		case record.TextShape:
			out.set(key, r.APIKey)
			out.set(layout.APIKey.Key(r.APIKey), r.User.String())
		case record.TimeShape:
			out.setTime(key, r.Time)
		case record.FieldsShape:
			if len(r.Fields) == 0 {
				continue
			}
			out.setFields(l, key, r.Fields)
		}
		if l.Marked() {
			out.mark(key, r.Digest().String())
		}
		m.outcome.Status = record.Inserted
	}
	return true
}

// heldBy returns the record as the layout holds it. It reports false where that is nothing.
func (k *Sink) heldBy(l layout.Layout, r *record.Record) (*record.Record, bool) {
	texts := k.Limits().Texts
	if l != layout.UpstreamKV || !texts.Beside {
		return r, true
	}
	texts.Beside = false
	it := record.Limits{Texts: texts}.Apply(record.Item{Kind: r.Kind, Record: r})
	if it.Record == nil {
		return nil, false
	}
	if it.Record.Omitted == nil {
		it.Record.Omitted = r.Omitted
	}
	return it.Record, true
}

// decide implements [task].
func (m *merging) decide(seen view) decision {
	if m.r.Kind == record.APIKeys {
		return m.decidePair(seen)
	}
	var all decision
	var outcomes []record.Outcome
	for _, l := range m.sink.layouts.Written(m.r.Kind) {
		r, ok := m.sink.heldBy(l, m.r)
		if !ok {
			continue
		}
		one, outcome := m.sink.decideKey(l, r, seen)
		all.superseded = append(all.superseded, one.superseded...)
		all.changes = append(all.changes, one.changes...)
		outcomes = append(outcomes, outcome)
	}
	all.settle = func() { *m.outcome = inPlaces(outcomes) }
	return all
}

// inPlaces returns what became of a record in several places as one outcome.
func inPlaces(outcomes []record.Outcome) record.Outcome {
	if len(outcomes) == 1 {
		return outcomes[0]
	}
	// A record is rejected where no place has anything of it, and in conflict where any says so.
	order := []record.Status{record.Rejected, record.Unchanged, record.Updated, record.Inserted, record.Conflicted}
	var all record.Outcome
	at := -1
	for _, o := range outcomes {
		at = max(at, slices.Index(order, o.Status))
		all.Rejects = append(all.Rejects, o.Rejects...)
		all.Conflicts += o.Conflicts
		all.Superseded += o.Superseded
	}
	if at >= 0 {
		all.Status = order[at]
	}
	return all
}

// decideKey decides what becomes of one key.
func (k *Sink) decideKey(l layout.Layout, r *record.Record, seen view) (decision, record.Outcome) {
	key := keyOf(l, r.User)
	stands := seen.of(key)
	var older []layout.Found
	for _, o := range l.Older() {
		older = append(older, seen.of(keyOf(o, r.User)))
	}
	held, fault := stands.Held(older...)
	if fault != "" {
		return decision{}, record.Outcome{Status: record.Rejected, Rejects: r.Rejects(record.RefusedByTarget, fault)}
	}
	d := record.Merge(*r, record.Existing{Held: held}, record.TimeBounds(r.Kind, r.User, k.opts.Now()), k.opts.Policy)
	all := decision{superseded: d.Superseded}
	if !d.Write {
		return all, d.Outcome()
	}
	all.changes = []change{{key: key, apply: func(out *commands) {
		switch r.Kind.Shape() {
		case record.TimeShape:
			out.setTime(key, d.Time)
		default:
			if len(d.Set) > 0 {
				out.setValues(l, key, d.Set)
			}
			if len(d.Unset) > 0 {
				out.unset(key, d.Unset)
			}
			if stands.Expires {
				out.ask("persist", key)
			}
		}
		switch gone := len(d.Set) == 0 && len(d.Unset) == len(stands.Hash) && l.IsHash(); {
		case d.Mark != "" && !gone:
			out.mark(key, d.Mark)
		case stands.Mark != "":
			out.unmark(key)
		}
	}}}
	return all, d.Outcome()
}

// deleting is the task of a document that is deleted.
type deleting struct {
	sink     *Sink
	was      record.Document
	deletion *record.Deletion
}

// keys implements [task].
func (d *deleting) keys(seen view) []string {
	if d.was.Kind == record.APIKeys {
		return d.sink.pairOf(d.was.User, d.was.Held.APIKey).keys(seen)
	}
	return keysOf(d.sink.layouts, d.was.Kind, d.was.User)
}

// fresh implements [task].
func (d *deleting) fresh(*commands) bool {
	*d.deletion = record.DeletionAbsent
	return true
}

// decide implements [task]. Of an API key the half that authenticates goes first.
func (d *deleting) decide(seen view) decision {
	now, exists := d.sink.document(d.was.Kind, d.was.User, d.was.Held.APIKey, seen)
	result := record.DeletionDone
	switch {
	case !exists:
		result = record.DeletionAbsent
	case !d.was.Holds(now.Held):
		result = record.DeletionModified
	}
	all := decision{settle: func() { *d.deletion = result }}
	if result != record.DeletionDone {
		return all
	}
	all.superseded = d.was.Superseded()
	keys := d.keys(seen)
	if d.was.Kind == record.APIKeys {
		keys = []string{layout.APIKey.Key(d.was.Held.APIKey), keyOf(layout.UserAPIKey, d.was.User)}
	}
	for _, key := range keys {
		f := seen.of(key)
		if f.State == layout.Absent || f.Foreign() || f.Layout == layout.UserAPIKey && f.Text != d.was.Held.APIKey {
			continue
		}
		all.changes = append(all.changes, change{key: key, apply: func(out *commands) {
			out.del(key)
			if f.Mark != "" {
				out.unmark(key)
			}
		}})
	}
	return all
}

// document returns what the target holds of the user. The key is the one that the user is said to have, for API keys.
func (k *Sink) document(kind record.Kind, user record.UserID, key string, seen view) (record.Document, bool) {
	if kind == record.APIKeys {
		return k.pairOf(user, key).document(seen)
	}
	var founds []layout.Found
	for _, name := range keysOf(k.layouts, kind, user) {
		founds = append(founds, seen.of(name))
	}
	return layout.Document(kind, user, founds, k.layouts, layout.DocumentOptions{AsJSON: k.opts.AsJSON, Exact: true})
}
