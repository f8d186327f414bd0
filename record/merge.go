package record

import (
	"fmt"
	"maps"
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

// Held is what a target has for a record: the document of the record's user and kind, and for API keys also the
// document that bears the key.
type Held struct {
	// Found tells that the user has a document of the kind.
	Found bool

	// Written tells that the document is still exactly what lanyardctl last wrote, for KV and APIKeys.
	Written bool

	// APIKey is the user's key, for APIKeys.
	APIKey string

	// Holder is the user_id, as text, of another document that bears the record's key, for APIKeys; empty where there is
	// none. It may be the record's own user, where that document has a number in place of the text.
	Holder string

	// Times are the values that bear on the time, by field name as the target holds them, for LastSeen and
	// MonitoringSince: an int64, a float64, text, or a [time.Time]; anything else is no time. The field that the app
	// reads is named by [TimeField].
	Times map[string]any

	// Fields are the document's fields, for KV and Metrics.
	Fields map[string]Value

	// Junk is what stands where the kind keeps its content and is none of it: for KV in place of the document of its
	// fields, for APIKeys in place of the key's text.
	Junk Value

	// Hidden tells that the app does not find the document of the counters, as it lacks its type, for Metrics.
	Hidden bool
}

// counters returns the fields of Metrics as the counters that they mean; what is no counter is as it stands.
func (h Held) counters() map[string]Value {
	fields := make(map[string]Value, len(h.Fields))
	for name, v := range h.Fields {
		if counter, reason, _ := Counter(name, v); reason == "" {
			v = counter
		}
		fields[name] = v
	}
	return fields
}

// TimeField returns the name of the field in which the app keeps the kind's time.
func TimeField(kind Kind) string {
	if kind == LastSeen {
		return "timestamp"
	}
	return "since"
}

// Decision is what has to be done to a target's document so that it holds what it held and the record. Without Write
// nothing has to be done.
type Decision struct {
	Column Column
	Write  bool

	// Time is the new value of [TimeField], for LastSeen and MonitoringSince.
	Time int64

	// Set and Unset are changes of fields, for KV and Metrics.
	Set   map[string]Value
	Unset []string

	// APIKey is the user's new key, for APIKeys. TakeKey tells that the document of [Held.Holder] has to go first.
	APIKey  string
	TakeKey bool

	// Mark is the digest of the document's content as it is after the write, where all of it is lanyardctl's work; empty
	// otherwise.
	Mark string

	Rejects    []Reject     // the conflicts, where the policy is FailOnConflict
	Superseded []Superseded // values that give way
	Conflicts  int          // fields among Rejects
	Kept       int          // values of the source among Superseded: the target keeps its own
}

// Outcome returns the decision as an outcome.
func (d Decision) Outcome() Outcome {
	return Outcome{Column: d.Column, Rejects: d.Rejects, Conflicts: d.Conflicts, Superseded: len(d.Superseded)}
}

// Merge decides what becomes of r in a target that holds held. Merging is idempotent: merged once, a record merges
// again without a change. Whatever gives way is among the decision's Superseded values.
func Merge(r Record, held Held, bounds Bounds, policy Policy) Decision {
	m := merging{r: r, held: held, policy: policy}
	switch r.Kind {
	case APIKeys:
		m.apiKey()
	case KV:
		m.kv()
	case LastSeen, MonitoringSince:
		m.time(bounds)
	case Metrics:
		m.metrics()
	}
	switch {
	case len(m.d.Rejects) > 0:
		m.d.Column = Conflicted
	case !held.Found && m.d.Write:
		m.d.Column = Inserted
	case m.d.Write:
		m.d.Column = Updated
	}
	return m.d
}

// merging is a decision in the making.
type merging struct {
	r      Record
	held   Held
	policy Policy
	d      Decision
}

func (m *merging) set(name string, v Value) {
	if m.d.Set == nil {
		m.d.Set = make(map[string]Value)
	}
	m.d.Set[name] = v
	m.d.Write = true
}

func (m *merging) reject(line Reject) {
	line.Kind, line.User, line.Reason = m.r.Kind, m.r.User, ConflictReason
	m.d.Rejects = append(m.d.Rejects, line)
}

// targetGaveWay keeps a value of the target that is overwritten or removed.
func (m *merging) targetGaveWay(field string, v any) {
	raw, ok := v.(string)
	detail := "the target's value, text as it is"
	if !ok {
		raw, detail = string(JSON(Storable(v))), "the target's value, as JSON"
	}
	m.d.Superseded = append(m.d.Superseded, Superseded{
		Kind: m.r.Kind, User: m.r.User, Field: field, HasField: true, Detail: detail, Value: Raw(raw),
	})
}

// sourceGaveWay keeps a value of the source that the target's replaces.
func (m *merging) sourceGaveWay(from Origin, field string, hasField bool) {
	m.d.Kept++
	m.d.Superseded = append(m.d.Superseded, Superseded{
		Key: from.Key, Kind: m.r.Kind, User: m.r.User, Field: field, HasField: hasField,
		Detail: "the source's value; the target keeps its own", Value: Raw(from.Raw),
	})
}

func (m *merging) apiKey() {
	r, held := m.r, m.held
	if held.Found && held.APIKey == r.APIKey && held.Holder == "" {
		return
	}
	detail := ""
	switch {
	case held.Holder == r.User.String():
		detail = "in the target the key stands in a document whose user_id is a number"
	case held.Holder != "":
		detail = "in the target the key belongs to user " + held.Holder
	case held.APIKey != "" && !held.Written:
		detail = "the target has another API key for this user, which lanyardctl did not write"
	}
	if detail != "" {
		switch m.policy {
		case FailOnConflict:
			m.reject(Reject{Key: r.Origin.Key, Detail: detail, Value: Raw(r.Origin.Raw)})
			return
		case PreferTarget:
			m.sourceGaveWay(r.Origin, "", false)
			return
		case PreferSource:
		}
	}
	if held.Holder != "" {
		holder, _ := ParseUserID(held.Holder) // a user_id that is none is in the detail alone
		m.d.TakeKey = true
		m.d.Superseded = append(m.d.Superseded, Superseded{
			Kind: APIKeys, User: holder, Field: "key", HasField: true, Value: Raw(r.APIKey),
			Detail: "the target's value of user " + held.Holder + ", text as it is; the key goes to user " + r.User.String(),
		})
	}
	if held.APIKey != "" && held.APIKey != r.APIKey {
		m.targetGaveWay("key", held.APIKey)
	}
	if held.Junk != nil {
		m.targetGaveWay("key", held.Junk)
	}
	m.d.APIKey, m.d.Mark, m.d.Write = r.APIKey, r.Digest().String(), true
}

func (m *merging) kv() {
	if m.held.Junk != nil {
		m.targetGaveWay("", m.held.Junk)
	}
	for _, name := range m.r.FieldNames() {
		ours := m.r.Fields[name]
		theirs, exists := m.held.Fields[name]
		switch {
		case !exists:
			m.set(name, ours.Value)
		case Equal(ours.Value, theirs):
		case m.held.Written || m.policy == PreferSource:
			m.targetGaveWay(name, theirs)
			m.set(name, ours.Value)
		case m.policy == PreferTarget:
			m.sourceGaveWay(ours.Origin, name, true)
		default:
			line := Reject{Detail: "the target's value differs, and lanyardctl did not write it"}
			m.reject(line.At(name, ours.Origin))
			m.d.Conflicts++
		}
	}
	content := m.r
	if m.held.Written {
		content = m.withoutGoneFields()
	}
	if m.d.Write && (m.held.Written || !m.held.Found) {
		m.d.Mark = content.Digest().String()
	}
}

// withoutGoneFields removes from a document of lanyardctl's own what is gone from the source, and returns what it holds
// then.
// A field that was only rejected this time is not gone: the target keeps what it has of it.
func (m *merging) withoutGoneFields() Record {
	content := m.r
	content.Fields = make(map[string]Field, len(m.r.Fields))
	maps.Copy(content.Fields, m.r.Fields)
	for _, name := range slices.Sorted(maps.Keys(m.held.Fields)) {
		if _, exists := m.r.Fields[name]; exists {
			continue
		}
		if m.r.LeftOut.Has(name) {
			content.Fields[name] = Field{Value: m.held.Fields[name]}
			continue
		}
		m.targetGaveWay(name, m.held.Fields[name])
		m.d.Unset = append(m.d.Unset, name)
		m.d.Write = true
	}
	return content
}

// time keeps the later last-seen time and the earliest monitoring date. A value of the target that is no plausible time
// never wins, and one of another type or unit is mended to the integer that the app needs.
func (m *merging) time(bounds Bounds) {
	field := TimeField(m.r.Kind)
	best := m.r.Time
	for _, v := range m.held.Times {
		theirs, reason, _ := Timestamp(m.r.Kind, v, bounds)
		if reason == "" && (theirs.Time < best) == (m.r.Kind == MonitoringSince) {
			best = theirs.Time
		}
	}
	stands, exists := m.held.Times[field]
	if n, ok := stands.(int64); ok && n == best {
		return
	}
	if exists {
		m.targetGaveWay(field, stands)
	}
	m.d.Time, m.d.Write = best, true
}

// metrics keeps the larger of two counters. What stands in a counter's place and is none gives way. A document that the
// app does not find is written also where all counters are right.
func (m *merging) metrics() {
	m.d.Write = m.held.Hidden
	for _, name := range m.r.FieldNames() {
		ours := m.r.Fields[name].Value
		stands, exists := m.held.Fields[name]
		if !exists {
			m.set(name, ours)
			continue
		}
		best := ours
		theirs, reason, _ := Counter(name, stands)
		if reason == "" && compareNumbers(theirs, ours) >= 0 {
			best = theirs
		}
		if _, text := stands.(string); !text && Equal(best, stands) {
			continue
		}
		m.targetGaveWay(name, stands)
		m.set(name, best)
	}
}

// StillWritten reports whether content, as it stands in a target, is exactly what lanyardctl last wrote there: mark is
// the digest that the document carries in [WrittenField].
func StillWritten(content Record, mark string) bool {
	return mark != "" && content.Digest().String() == mark
}
