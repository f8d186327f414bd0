package record

import (
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// WrittenField is the name of the field in which a document that lanyardctl wrote carries the digest of what was
// written ({digest: 32 hexadecimal digits}). Lanyard ignores it.
const WrittenField = "lanyardctl"

// Limits is what a target can hold. It is known once the target is open.
type Limits struct {
	Server        string // who refuses, for people: "FerretDB v1.24.0"
	MaxDocument   int    // bytes of BSON; zero for no limit
	NoDots        bool   // refuses names that contain a dot
	NoDollars     bool   // refuses names that start with a dollar
	NoNestedArray bool   // refuses an array directly inside an array
	Named         bool   // holds records that a [Name] identifies, too
	NoDecimals    bool   // holds no decimal numbers beside int64 and float64

	// Items judges the items of tables, in place of what is said of documents here; nil for a target that keeps documents.
	Items ItemRule

	// JSON tells that the target holds values that have a counterpart in JSON alone.
	JSON bool

	// MaxPairs is how many bytes of JSON a user's key-value pairs may take together; zero for no limit.
	MaxPairs int

	// Texts says what becomes of the key-value pairs whose value is no text.
	Texts TextRule
}

// ItemRule says what items of tables a target can hold.
type ItemRule interface {
	// Refuses returns why the target cannot hold the item, and nothing where it can. The field is the one that it cannot
	// hold, where that is one.
	Refuses(r *Record) (field string, reason Reason, detail string)
}

// TextRule says what becomes of values that are no texts.
type TextRule struct {
	// Only tells that a place of the target holds texts alone: values that are none are rejected.
	Only bool

	// Beside tells that another place of the target holds any value: there they are written.
	Beside bool

	// AsJSON tells that the JSON text of such a value is written where texts alone are held, so that nothing is rejected.
	AsJSON bool
}

// Text returns the value as a place holds it that holds texts alone. It reports false where it cannot.
func (t TextRule) Text(v Value) (text Value, ok bool) {
	if _, is := v.(string); is || !t.Only {
		return v, true
	}
	if !t.AsJSON {
		return nil, false
	}
	json, ok := ExactJSON(v)
	return string(json), ok
}

// DefaultMaxDocument is MongoDB's limit for one document: 16 MiB of BSON.
const DefaultMaxDocument = 16 << 20

// Apply takes out of it what the target cannot hold. A field that cannot be held becomes a reject and the record's
// other fields go on; a record with nothing left, or too large as a whole, becomes rejects alone.
func (l Limits) Apply(it Item) Item {
	if it.Record == nil {
		return it
	}
	if it.Kind.rules().about().whole {
		return l.applyWhole(it)
	}
	if l.holds(it) {
		return it
	}
	r := *it.Record
	if r.Name != (Name{}) && !l.Named {
		it.Rejects = append(it.Rejects, r.Rejects(RefusedByTarget, "the target holds records of users alone")...)
		it.Record = nil
		return it
	}
	copied := false
	for _, name := range r.FieldNames() {
		f := r.Fields[name]
		reason, detail := l.refuses(r.Kind, name, f.Value)
		text, fits := f.Value, true
		if reason == "" && r.Kind == KV {
			text, fits = l.Texts.Text(f.Value)
		}
		switch {
		case reason == "" && !fits:
			reason, detail = NotText, "upstream's layout holds texts alone"
		case reason != "":
			fits = false
		case !Equal(text, f.Value):
			it.Notes = append(it.Notes, AsJSON)
		default:
			continue
		}
		if !fits {
			reject := Reject{Kind: r.Kind, User: r.User, Name: r.Name, Reason: reason, Detail: detail}
			it.Rejects = append(it.Rejects, reject.At(name, f.Origin))
		}
		if l.Texts.Beside && (fits || reason == NotText) {
			continue // the other place holds the value as it is
		}
		if !copied {
			r.Fields, copied = maps.Clone(r.Fields), true
		}
		if fits {
			r.Fields[name] = Field{Value: text, Origin: f.Origin}
		} else {
			delete(r.Fields, name)
		}
	}
	if copied && len(r.Fields) == 0 {
		it.Record = nil
		return it
	}
	r.Omitted = it.Omitted()
	reason, detail := l.tooLarge(r.DocumentSize())
	if reason == "" {
		reason, detail = l.tooLongPairs(&r)
	}
	if reason != "" {
		it.Rejects = append(it.Rejects, r.Rejects(reason, detail)...)
		it.Record = nil
		return it
	}
	it.Record = &r
	return it
}

// applyWhole is [Limits.Apply] for a kind whose records are written as a whole or not at all: each field is a reject where
// one of them, or the whole, cannot be held.
func (l Limits) applyWhole(it Item) Item {
	r := it.Record
	reason, detail := RefusedByTarget, "the target holds records of users alone"
	if l.Named {
		reason, detail = l.refusesRecord(r)
	}
	if reason == "" {
		if l.Items == nil && r.hasLongDecimal() {
			it.Notes = append(it.Notes, AsText)
		}
		return it
	}
	it.Rejects = append(it.Rejects, r.Rejects(reason, detail)...)
	it.Record = nil
	return it
}

// refusesRecord returns why the target cannot hold all of a record.
func (l Limits) refusesRecord(r *Record) (Reason, string) {
	whole := func(name, detail string) string {
		return fmt.Sprintf("the attribute %q: %s; an item is written as a whole or not at all", name, detail)
	}
	if l.Items != nil {
		name, reason, detail := l.Items.Refuses(r)
		if name != "" {
			detail = whole(name, detail)
		}
		return reason, detail
	}
	for _, name := range r.FieldNames() {
		if reason, detail := l.refuses(r.Kind, name, r.Fields[name].Value); reason != "" {
			return reason, whole(name, detail)
		}
	}
	return l.tooLarge(r.DocumentSize())
}

// holds reports whether the target can hold the item as it is: mostly it can, and then nothing is copied.
func (l Limits) holds(it Item) bool {
	r := it.Record
	if r.Name != (Name{}) && !l.Named || r.Omitted != nil || len(it.Rejects) > 0 {
		return false
	}
	for name, f := range r.Fields {
		if reason, _ := l.refuses(r.Kind, name, f.Value); reason != "" {
			return false
		}
		if _, text := f.Value.(string); !text && r.Kind == KV && l.Texts.Only {
			return false
		}
	}
	if reason, _ := l.tooLongPairs(r); reason != "" {
		return false
	}
	return l.MaxDocument <= 0 || r.DocumentSize() <= l.MaxDocument
}

// tooLongPairs judges a record's pairs by their JSON.
func (l Limits) tooLongPairs(r *Record) (Reason, string) {
	const longest = 6 // bytes of JSON for one of a text: \u0001
	if l.MaxPairs <= 0 || r.Kind != KV || r.DocumentSize() <= l.MaxPairs/longest {
		return "", ""
	}
	size := 0
	for name, f := range r.Fields {
		size += len(name) + len(JSON(f.Value))
	}
	if size <= l.MaxPairs {
		return "", ""
	}
	return DocumentTooLarge, fmt.Sprintf("%d bytes of JSON, the limit is %d", size, l.MaxPairs)
}

// tooLarge judges a document of size bytes of BSON.
func (l Limits) tooLarge(size int) (Reason, string) {
	if l.MaxDocument > 0 && size > l.MaxDocument {
		return DocumentTooLarge, fmt.Sprintf("%d bytes of BSON, the limit is %d", size, l.MaxDocument)
	}
	return "", ""
}

// CheckSize returns the rejects of r where the document that would hold it, of size bytes, is over the limit.
func (l Limits) CheckSize(r Record, size int) []Reject {
	reason, detail := l.tooLarge(size)
	if reason == "" {
		return nil
	}
	return r.Rejects(reason, detail)
}

func (l Limits) refuses(kind Kind, name string, v Value) (Reason, string) {
	if reason, detail := l.refusesName(name); reason != "" {
		return reason, detail
	}
	if detail := kind.rules().refusesName(name); detail != "" {
		return InvalidFieldName, detail
	}
	if l.JSON {
		if reason, detail := RefusedByJSON(v); reason != "" {
			return reason, detail
		}
	}
	return l.refusesValue(v)
}

// RefusedByJSON returns why JSON cannot hold the value as it is, and nothing where it can.
func RefusedByJSON(v Value) (Reason, string) { return refusedByJSON(v, 0) }

// refusedByJSON judges a value that stands in as many arrays and objects as depth says.
func refusedByJSON(v Value, depth int) (Reason, string) {
	inner := func(values iter.Seq[Value]) (Reason, string) {
		if depth == MaxDepth {
			return TooDeep, "the value is nested deeper than 100"
		}
		for e := range values {
			if reason, detail := refusedByJSON(e, depth+1); reason != "" {
				return reason, detail
			}
		}
		return "", ""
	}
	switch v := v.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return NumberOutOfRange, "the number is not finite"
		}
	case string:
		if !utf8.ValidString(v) {
			return InvalidUTF8, "the value is not valid UTF-8"
		}
	case Array:
		return inner(slices.Values(v))
	case Object:
		for name := range v {
			if !utf8.ValidString(name) {
				return InvalidUTF8, "a name in the value is not valid UTF-8"
			}
		}
		return inner(maps.Values(v))
	case Opaque:
		return RefusedByTarget, "the value has a type that JSON has not"
	}
	return "", ""
}

func (l Limits) refusesName(name string) (Reason, string) {
	switch {
	case strings.Contains(name, "\x00"):
		return InvalidFieldName, "BSON names cannot contain a NUL byte"
	case l.NoDots && strings.Contains(name, "."):
		return InvalidFieldName, l.Server + " refuses names that contain a dot"
	case l.NoDollars && strings.HasPrefix(name, "$"):
		return InvalidFieldName, l.Server + " refuses names that start with a dollar"
	}
	return "", ""
}

// isArray reports whether a document keeps the value as an array.
func isArray(v Value) bool {
	switch v.(type) {
	case Array, Set:
		return true
	}
	return false
}

func (l Limits) refusesValue(v Value) (Reason, string) {
	switch v := v.(type) {
	case Decimal:
		if l.NoDecimals {
			return NumberOutOfRange, l.Server + " holds whole numbers of 64 bits and doubles alone, and a double would round it"
		}
	case Set:
		return l.refusesValue(v.Members)
	case Array:
		for _, e := range v {
			if l.NoNestedArray && isArray(e) {
				return RefusedByTarget, l.Server + " refuses an array directly inside an array"
			}
			if reason, detail := l.refusesValue(e); reason != "" {
				return reason, detail
			}
		}
	case Object:
		for name, e := range v {
			if reason, detail := l.refusesName(name); reason != "" {
				return reason, detail
			}
			if reason, detail := l.refusesValue(e); reason != "" {
				return reason, detail
			}
		}
	}
	return "", ""
}

// Sizes in BSON, from bsonspec.org: a document is an int32 length, its elements and a zero byte; an element is a type
// byte, the name with a zero byte, and the value.
const (
	bsonDocument = 5
	bsonElement  = 2
	bsonString   = 5
	bsonDates    = 128 // room for the names of a kind's own fields, with times
)

// DocumentSize returns the bytes of BSON that r takes as a new document of its collection, with _id, user_id and the
// mark of what lanyardctl wrote. What a kind's own fields take is rounded up to a small fixed amount.
func (r Record) DocumentSize() int {
	id := r.Identity().length()
	size := bsonDocument
	size += bsonElement + len("_id") + bsonString + id
	size += bsonElement + len("user_id") + bsonString + id
	traits := r.Kind.rules().about()
	size += traits.frame
	if traits.shape == TextShape {
		size += bsonString + len(r.APIKey)
	}
	for name, f := range r.Fields {
		size += bsonElement + len(name) + valueSize(f.Value)
	}
	return size
}

func valueSize(v Value) int {
	switch v := v.(type) {
	case bool:
		return 1
	case int64, float64:
		return 8
	case string:
		return bsonString + len(v)
	case Array:
		size := bsonDocument
		for i, e := range v {
			size += bsonElement + digits(uint64(i)) + valueSize(e)
		}
		return size
	case Object:
		size := bsonDocument
		for name, e := range v {
			size += bsonElement + len(name) + valueSize(e)
		}
		return size
	case Decimal:
		return decimalBytes
	case Binary:
		return bsonString + len(v)
	case Set:
		return valueSize(v.Members) + typeBytes
	case Opaque:
		return len(v.Data)
	}
	return 0
}

// What a decimal takes at most: 16 bytes, or 38 digits as text with a note of its type; and what that note takes beside the
// names on the way to the value.
const (
	decimalBytes = bsonString + 48 + typeBytes
	typeBytes    = 64
)

// digits returns the number of decimal digits of i.
func digits(i uint64) int {
	n := 1
	for ; i >= 10; i /= 10 {
		n++
	}
	return n
}
