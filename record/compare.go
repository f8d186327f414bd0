package record

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"
)

// DifferenceType says how a target falls short of its source.
type DifferenceType uint8

// The types.
const (
	Missing   DifferenceType = iota // the target has not what the source has
	Different                       // the target has another value
	Extra                           // the target has what the source has not
)

var differenceNames = [...]string{"missing", "different", "extra"}

// String returns the type's name as reports spell it.
func (t DifferenceType) String() string {
	if int(t) < len(differenceNames) {
		return differenceNames[t]
	}
	return fmt.Sprintf("difference(%d)", uint8(t))
}

// MarshalText returns [DifferenceType.String].
func (t DifferenceType) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// Difference is one thing in which a target falls short of its source. It tells where, and never a value.
type Difference struct {
	Kind     Kind
	User     UserID // zero for Metrics, and for a document that is no user's
	Name     string // of the record, or what the document has in place of a user id, where it is no user's
	Numeric  bool   // Name is a number
	Field    string // any bytes
	HasField bool   // else the difference is the record as a whole
	Type     DifferenceType
}

// Compare orders differences by kind, user and field.
func (d Difference) Compare(o Difference) int {
	return cmp.Or(cmp.Compare(d.Kind, o.Kind), cmp.Compare(d.User, o.User), strings.Compare(d.Name, o.Name),
		strings.Compare(d.Field, o.Field), cmp.Compare(d.Type, o.Type))
}

// CompareOptions say what counts as a difference.
type CompareOptions struct {
	// Policy is the one by which the source was merged: what it lets the target keep is no difference.
	Policy Policy

	// Exact asks for equality. Else a target may be ahead: what merging would leave as it is is no difference.
	Exact bool

	// Now decides which times are plausible.
	Now time.Time
}

// Comparison is what became of comparing one record.
type Comparison struct {
	// Differences are those of the record's fields, in order.
	Differences []Difference

	// Kept is how many of the source's values are not in the target, because the policy lets it keep its own.
	Kept int
}

// Compare returns in what the document falls short of the record of its user and kind: what [Merge] would change or
// refuse to. That a value stands in another type of the same meaning is no difference, though Merge mends it.
func Compare(r Record, theirs Document, o CompareOptions) Comparison {
	bounds := TimeBounds(r.Kind, r.User, o.Now)
	d := Merge(r, Existing{Held: theirs.Held}, bounds, o.Policy)
	found := r.Kind.rules().compare(comparing{r: r, held: theirs.Held, bounds: bounds, exact: o.Exact, d: d})
	slices.SortFunc(found, Difference.Compare)
	if o.Exact {
		d.Kept = 0 // those are differences
	}
	return Comparison{Differences: found, Kept: d.Kept}
}

// comparing is a comparison in the making.
type comparing struct {
	r      Record
	held   Held
	bounds Bounds
	exact  bool
	d      Decision
	found  []Difference
}

func (c *comparing) add(field string, t DifferenceType) {
	c.found = append(c.found, Difference{
		Kind: c.r.Kind, User: c.r.User, Name: c.r.Name.String(), Field: field, HasField: true, Type: t,
	})
}

// unequal adds a field in which the target has another value, or none.
func (c *comparing) unequal(field string, exists bool) {
	if exists {
		c.add(field, Different)
	} else {
		c.add(field, Missing)
	}
}

// exactFields compares the record's fields with those that stand in the target. A field that was rejected is none of
// the source's, but not gone from it either.
func (c *comparing) exactFields(stand map[string]Value) {
	for name, ours := range c.r.Fields {
		theirs, exists := stand[name]
		if !exists || !Equal(ours.Value, theirs) {
			c.unequal(name, exists)
		}
	}
	for name := range stand {
		if _, ours := c.r.Fields[name]; !ours && !c.r.Omitted.Has(name) {
			c.add(name, Extra)
		}
	}
}

// ValueDigest returns the digest of one value: values that are [Equal] have the same.
func ValueDigest(v Value) Digest {
	var scratch [256]byte
	sum := sha256.Sum256(appendCanonical(scratch[:0], v))
	return Digest(sum[:16])
}
