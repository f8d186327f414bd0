package record

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// Origin is where in the source a value came from. It is what a reject shows, and takes no part in comparisons.
type Origin struct {
	Key string // the source's key, such as "lanyard_kv:94490510688792576"; any bytes
	Raw string // the value's bytes as the source holds them
}

// Field is one named value of a key-value record, or one counter.
type Field struct {
	Value  Value
	Origin Origin
}

// Record is what a source or a target knows of one user, or of one name, and kind. Which of the fields below carry it is
// the kind's [Shape].
type Record struct {
	Kind Kind

	// Doubtful tells that the source may have lost what it held, so that a better time of a target is kept; see [Mirror].
	Doubtful bool

	User UserID // zero where a Name identifies the record, and for kinds that are not of users
	Name Name

	// APIKey is the user's API key, for APIKeys. It is a secret: show [Fingerprint] instead.
	APIKey string

	// Time is for LastSeen (Unix milliseconds) and MonitoringSince (Unix seconds).
	Time int64

	// Fields is for KV (any value) and Metrics (int64 and float64 only).
	Fields map[string]Field

	// Origin is for the kinds without Fields.
	Origin Origin

	// Omitted tells which fields the source has though Fields has not: the rejected ones. What a target holds of them is
	// not gone from the source. It is nil where none was rejected.
	Omitted *Omitted
}

// Identity returns what tells r apart from other records of its kind.
func (r Record) Identity() Identity { return Identity{r.User, r.Name} }

// Omitted names fields that were rejected.
type Omitted struct {
	All   bool // nobody knows which: a whole layout could not be read
	Names []string
}

// Has reports whether the named field may have been rejected; of nil it is none.
func (l *Omitted) Has(name string) bool { return l != nil && (l.All || slices.Contains(l.Names, name)) }

// FieldNames returns the names of r's fields in ascending order.
func (r Record) FieldNames() []string { return AppendNames(nil, r.Fields) }

// AppendNames appends the names of m in ascending order to names, which is empty: in room that the caller has, it takes no
// allocation.
func AppendNames[V any](names []string, m map[string]V) []string {
	for name := range m { // an iterator would have names allocated
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Rejects returns a line for each value of r, all with the same reason: what is left of a record that could not be
// written at all.
func (r Record) Rejects(reason Reason, detail string) []Reject {
	line := Reject{Kind: r.Kind, User: r.User, Name: r.Name, Reason: reason, Detail: detail}
	if r.Kind.Shape() != FieldsShape {
		line.Key, line.Value = r.Origin.Key, Raw(r.Origin.Raw)
		return []Reject{line}
	}
	lines := make([]Reject, 0, len(r.Fields))
	for _, name := range r.FieldNames() {
		lines = append(lines, line.At(name, r.Fields[name].Origin))
	}
	return lines
}

// Fingerprint returns what may be shown of an API key: "…", or "lnyd_…" for the newer form, and the first eight
// hexadecimal digits of its SHA-256.
func Fingerprint(key string) string {
	sum := sha256.Sum256([]byte(key))
	prefix := "…"
	if strings.HasPrefix(key, "lnyd_") {
		prefix = "lnyd_…"
	}
	return prefix + hex.EncodeToString(sum[:4])
}
