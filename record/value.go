package record

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Value is nil, bool, int64, float64, string, [Array], [Object] or [Opaque]; in a [Table] also [Decimal], [Binary] or [Set], and
// float64 only where that is not finite.
type Value any

// Array is an ordered list of values.
type Array []Value

// Object is a set of named values.
type Object map[string]Value

// Opaque is a value of a target that has no counterpart in Redis or JSON, such as a BSON ObjectID. It equals only an
// Opaque of the same type and bytes.
type Opaque struct {
	Type byte   // the target's own type number
	Data []byte // the target's own encoding
}

// Equal reports whether a and b mean the same: 7 equals 7.0, and the order of an object's fields is nothing.
func Equal(a, b Value) bool {
	switch a := simplify(a).(type) {
	case Array:
		b, ok := b.(Array)
		return ok && slices.EqualFunc(a, b, func(x, y Value) bool { return Equal(x, y) })
	case Object:
		b, ok := b.(Object)
		return ok && maps.EqualFunc(a, b, func(x, y Value) bool { return Equal(x, y) })
	case Opaque:
		b, ok := b.(Opaque)
		return ok && a.Type == b.Type && bytes.Equal(a.Data, b.Data)
	case Set:
		b, ok := b.(Set)
		return ok && a.Type == b.Type && Equal(a.Members, b.Members)
	default:
		switch b := simplify(b).(type) {
		case Array, Object, Opaque, Set:
			return false
		default:
			return a == b
		}
	}
}

// simplify gives numbers of one meaning one form: a whole number within int64 is an int64, one that a float64 gives exactly
// is that, and every NaN is the same text-free value, so that a value always equals itself.
func simplify(v Value) Value {
	if d, ok := v.(Decimal); ok {
		f, exact := d.Float()
		if !exact {
			return d
		}
		v = f
	}
	f, ok := v.(float64)
	if !ok {
		return v
	}
	if math.IsNaN(f) {
		return notANumber{}
	}
	if n, whole := wholeNumber(f); whole {
		return n
	}
	return f
}

// wholeNumber reports whether f is a whole number within int64, and returns it.
func wholeNumber(f float64) (n int64, whole bool) {
	if f == math.Trunc(f) && f >= -1<<63 && f < 1<<63 {
		return int64(f), true
	}
	return 0, false
}

type notANumber struct{}

// CompareNumbers orders two numbers by value: an int64 or a float64 each. It is exact also beyond 2^53.
func CompareNumbers(a, b Value) int {
	switch x := simplify(a).(type) {
	case int64:
		switch y := simplify(b).(type) {
		case int64:
			return cmp.Compare(x, y)
		case float64:
			return -compareFloatInt(y, x)
		}
	case float64:
		switch y := simplify(b).(type) {
		case int64:
			return compareFloatInt(x, y)
		case float64:
			return cmp.Compare(x, y)
		}
	}
	return 0
}

// compareFloatInt compares f, which is not a whole number within int64, with i.
func compareFloatInt(f float64, i int64) int {
	switch {
	case f >= 1<<63:
		return 1
	case f < -1<<63:
		return -1
	}
	if floor := int64(math.Floor(f)); floor < i {
		return -1
	}
	return 1
}

// hasJSON reports whether v is what its JSON says.
func hasJSON(v Value) bool {
	switch v := v.(type) {
	case float64:
		return !math.IsNaN(v) && !math.IsInf(v, 0)
	case Array:
		return !slices.ContainsFunc(v, func(e Value) bool { return !hasJSON(e) })
	case Object:
		for _, e := range v {
			if !hasJSON(e) {
				return false
			}
		}
	case Opaque, Binary, Set:
		return false
	}
	return true
}

// JSON returns v as JSON text, for people and for files that keep a value of the target. An Opaque becomes
// {"$type": number, "$base64": text}, a Binary {"$base64": text}, and a Set {"$set": type, "members": array}; a number that
// JSON cannot hold becomes a string.
func JSON(v Value) []byte { return appendJSON(nil, v, false) }

// ExactJSON returns v as the JSON text that gives the same value again: a float64 that is a whole number keeps its point. It
// reports false where v has no counterpart in JSON.
func ExactJSON(v Value) ([]byte, bool) {
	if !hasJSON(v) {
		return nil, false
	}
	return AppendExactJSON(nil, v), true
}

// AppendExactJSON appends [ExactJSON] of v, which has a counterpart in JSON, to b.
func AppendExactJSON(b []byte, v Value) []byte { return appendJSON(b, v, true) }

func appendJSON(b []byte, v Value, exact bool) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return strconv.AppendQuote(b, strconv.FormatFloat(v, 'g', -1, 64))
		}
		text := strconv.FormatFloat(v, 'g', -1, 64)
		if exact && strings.Trim(text, "-0123456789") == "" {
			text += ".0"
		}
		return append(b, text...)
	case string:
		return appendJSONString(b, v)
	case Array:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, e, exact)
		}
		return append(b, ']')
	case Object:
		b = append(b, '{')
		for i, name := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendJSONString(b, name), ':')
			b = appendJSON(b, v[name], exact)
		}
		return append(b, '}')
	case Decimal:
		return append(b, v...)
	case Binary:
		b = append(b, `{"$base64":"`...)
		b = base64.StdEncoding.AppendEncode(b, []byte(v))
		return append(b, `"}`...)
	case Set:
		b = append(b, `{"$set":"`+string(v.Type)+`","members":`...)
		return append(appendJSON(b, v.Members, exact), '}')
	case Opaque:
		b = append(b, `{"$type":`...)
		b = strconv.AppendInt(b, int64(v.Type), 10)
		b = append(b, `,"$base64":"`...)
		b = base64.StdEncoding.AppendEncode(b, v.Data)
		return append(b, `"}`...)
	}
	return append(b, "null"...)
}

func appendJSONString(b []byte, s string) []byte {
	if plainText(s) {
		return append(append(append(b, '"'), s...), '"')
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	// Encoding a string cannot fail.
	_ = enc.Encode(s)
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}

// plainText reports whether s stands in JSON as it is.
func plainText(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// Storable returns v, which may also be a [time.Time], as a Value.
func Storable(v any) Value {
	if t, ok := v.(time.Time); ok {
		return t.UTC().Format(time.RFC3339Nano)
	}
	return v
}
