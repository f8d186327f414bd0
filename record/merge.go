package record

import (
	"fmt"
	"slices"
)

// Policy decides a conflict: a value that differs between source and target, where somebody else than lanyardctl wrote
// the target's.
type Policy uint8

// The policies.
const (
	FailOnConflict Policy = iota // the target keeps its value, the source's becomes a reject: a person decides
	PreferSource                 // the source's value is written, the target's is superseded
	PreferTarget                 // the target keeps its value, the source's is superseded
)

var policyNames = [...]string{"fail", "source", "target"}

// String returns the policy's name as the flag spells it.
func (p Policy) String() string { return policyNames[p] }

// ParsePolicy reads a policy's name.
func ParsePolicy(s string) (Policy, error) {
	if i := slices.Index(policyNames[:], s); i >= 0 {
		return Policy(i), nil
	}
	return 0, fmt.Errorf("unknown conflict policy %q (fail, source or target)", s)
}

// Existing is what a target has for a record: the document of the record's identity and kind, and for API keys also the
// document that bears the key.
type Existing struct {
	Held

	// KeyOwner is the identity, as text, of another document that bears the record's key, for APIKeys; empty where there
	// is none. It may be the record's own user, where that document has a number in place of the text.
	KeyOwner string
}

// Held is what a document of a target holds.
type Held struct {
	// Found tells that there is a document.
	Found bool

	// Untyped tells that the app does not find the document of the counters, as it lacks its type, for Metrics.
	Untyped bool

	// Unmodified tells that the document is still exactly what lanyardctl last wrote, and carries the mark of that: those of
	// KV and APIKeys always do, those that keep a time where a [Mirror] was written, those of Metrics never.
	Unmodified bool

	// APIKey is the user's key, for APIKeys.
	APIKey string

	// Times are the values that bear on the time, by field name as the target holds them, for LastSeen and
	// MonitoringSince: an int64, a float64, text, or a [time.Time]; anything else is no time. The field that the app
	// reads is named by [TimeField].
	Times map[string]any

	// Fields are the document's fields, for KV and Metrics.
	Fields map[string]Value

	// Malformed is what stands where the kind keeps its content and is none of it: for KV in place of the document of its
	// fields, for APIKeys in place of the key's text.
	Malformed Value
}

// Decision is what has to be done to a target's document so that it holds what it held and the record. Without Write
// nothing has to be done.
type Decision struct {
	Status Status
	Write  bool

	// Time is the new value of [TimeField], for LastSeen and MonitoringSince.
	Time int64

	// Set and Unset are changes of fields, for KV and Metrics.
	Set   map[string]Value
	Unset []string

	// APIKey is the user's new key, for APIKeys. RevokeOther tells that the document of [Existing.KeyOwner] has to go first.
	APIKey      string
	RevokeOther bool

	// Mark is the digest of the document's content as it is after the write, where all of it is lanyardctl's work; empty
	// otherwise. Adopts tells that the mark is all that is written, as the document says what it should already.
	Mark   string
	Adopts bool

	Rejects    []Reject     // the conflicts, where the policy is FailOnConflict
	Superseded []Superseded // values that give way
	Conflicts  int          // fields among Rejects
	Kept       int          // values of the source among Superseded: the target keeps its own
}

// Outcome returns the decision as an outcome.
func (d Decision) Outcome() Outcome {
	return Outcome{Status: d.Status, Rejects: d.Rejects, Conflicts: d.Conflicts, Superseded: len(d.Superseded)}
}

// Merge decides what becomes of r in a target that holds what exists. Merging is idempotent: merged once, a record
// merges again without a change. Whatever gives way is among the decision's Superseded values.
func Merge(r Record, existing Existing, bounds Bounds, policy Policy) Decision {
	d := r.Kind.rules().merge(merging{
		r: r, held: existing.Held, keyOwner: existing.KeyOwner, bounds: bounds, policy: policy,
	})
	switch {
	case len(d.Rejects) > 0:
		d.Status = Conflicted
	case !existing.Found && d.Write:
		d.Status = Inserted
	case d.Write:
		d.Status = Updated
	}
	return d
}

// merging is a decision in the making.
type merging struct {
	r        Record
	held     Held
	keyOwner string
	bounds   Bounds
	policy   Policy
	d        Decision
}

func (m *merging) set(name string, v Value) {
	if m.d.Set == nil {
		m.d.Set = make(map[string]Value)
	}
	m.d.Set[name] = v
	m.d.Write = true
}

func (m *merging) reject(line Reject) {
	line.Kind, line.User, line.Name, line.Reason = m.r.Kind, m.r.User, m.r.Name, ConflictReason
	m.d.Rejects = append(m.d.Rejects, line)
}

// targetGaveWay keeps a value of the target that is overwritten or removed.
func (m *merging) targetGaveWay(field string, v any) {
	value := targetBytes(v)
	detail := "the target's value, text as it is"
	if value.Form != TextForm {
		detail = "the target's value, as JSON"
	}
	m.d.Superseded = append(m.d.Superseded, Superseded{
		Kind: m.r.Kind, User: m.r.User, Name: m.r.Name, Field: field, HasField: true, Detail: detail, Value: value,
	})
}

// targetBytes returns a value of the target as it is kept.
func targetBytes(v any) Bytes {
	text, ok := v.(string)
	switch stored := Storable(v); {
	case ok:
		return Bytes{Data: text, Present: true, Form: TextForm}
	case hasJSON(stored):
		return Bytes{Data: string(JSON(stored)), Present: true, Form: JSONForm}
	default:
		return Bytes{Data: string(JSON(stored)), Present: true, Form: ShownForm}
	}
}

// sourceGaveWay keeps a value of the source that the target's replaces.
func (m *merging) sourceGaveWay(from Origin, field string, hasField bool) {
	m.d.Kept++
	m.d.Superseded = append(m.d.Superseded, Superseded{
		Key: from.Key, Kind: m.r.Kind, User: m.r.User, Name: m.r.Name, Field: field, HasField: hasField,
		Detail: "the source's value; the target keeps its own", Value: Raw(from.Raw),
	})
}

// Unmodified reports whether content, as it stands in a target, is exactly what lanyardctl last wrote there: mark is
// the digest that the document carries in [WrittenField].
func Unmodified(content Record, mark string) bool {
	return mark != "" && content.Digest().String() == mark
}
