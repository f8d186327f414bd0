package layout

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/record"
)

func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

func TestForkValues(t *testing.T) {
	for _, tc := range []struct {
		rule   string
		raw    string
		value  record.Value
		note   record.Note
		reason record.Reason
	}{
		{"a JSON string is its text", `"hello"`, "hello", "", ""},
		{"a string of digits stays a string", `"7"`, "7", "", ""},
		{"the empty string is empty", `""`, "", "", ""},
		{"escapes are resolved", `"a\n\"\\\/\b\f\r\t\u00e9"`, "a\n\"\\/\b\f\r\té", "", ""},
		{"a surrogate pair is one character", `"\ud83d\ude00"`, "😀", "", ""},
		{"a NUL in a string is kept", `"\u0000"`, "\x00", "", ""},
		{"U+FFFD that stands there is kept", `"�"`, "�", "", ""},
		{"an integer is an int64", `7`, int64(7), "", ""},
		{"minus zero is zero", `-0`, int64(0), "", ""},
		{"the largest int64 is an integer", `9223372036854775807`, int64(math.MaxInt64), "", ""},
		{"the smallest int64 is an integer", `-9223372036854775808`, int64(math.MinInt64), "", ""},
		{"an integer beyond int64 is out of range", `9223372036854775808`, nil, "", record.NumberOutOfRange},
		{"a snowflake beyond int64 is out of range", `18446744073709551615`, nil, "", record.NumberOutOfRange},
		{"a fraction is a double", `1.5`, 1.5, "", ""},
		{"an exponent makes a double", `1e3`, 1000.0, "", ""},
		{"a number beyond a double is out of range", `1e999`, nil, "", record.NumberOutOfRange},
		{"a number too small for a double is zero", `1e-999`, 0.0, "", ""},
		{"an inner number out of range rejects the whole", `{"a":[1,99999999999999999999]}`, nil, "", record.NumberOutOfRange},
		{"true is a boolean", `true`, true, "", ""},
		{"false is a boolean", `false`, false, "", ""},
		{"null is null", `null`, nil, "", ""},
		{"an array is an array", `[1, "a", null]`, record.Array{int64(1), "a", nil}, "", ""},
		{"an empty array is an array", ` [ ] `, record.Array{}, "", ""},
		{"an object is an object", `{"a":{"b":1.5}}`, record.Object{"a": record.Object{"b": 1.5}}, "", ""},
		{"an empty object is an object", `{}`, record.Object{}, "", ""},
		{"names of objects may be anything", `{"":1,"a.b":2,"$c":3}`, record.Object{"": int64(1), "a.b": int64(2), "$c": int64(3)}, "", ""},
		{"of a name that stands twice the last wins", `{"a":1,"a":2}`, record.Object{"a": int64(2)}, "", ""},
		{"space around is nothing", "\n\t 7 \r", int64(7), "", ""},
		{"100 brackets are not too deep", nested(100), nil, "", ""},
		{"101 brackets are too deep", nested(101), nil, "", record.TooDeep},
		{"more than encoding/json takes is too deep", nested(20_000), nil, "", record.TooDeep},
		{"a million brackets do not end the program", strings.Repeat("[", 1_000_000), nil, "", record.TooDeep},
		{"deep but no JSON is text", strings.Repeat("[", 200), strings.Repeat("[", 200), record.NotJSON, ""},
		{"plain text is no JSON", `hello`, `hello`, record.NotJSON, ""},
		{"nothing is no JSON", ``, ``, record.NotJSON, ""},
		{"space is no JSON", ` `, ` `, record.NotJSON, ""},
		{"half of a surrogate pair stays as it is", `"\ud83d"`, `"\ud83d"`, record.NotJSON, ""},
		{"the other half stays as it is", `"\ude00 "`, `"\ude00 "`, record.NotJSON, ""},
		{"two first halves stay as they are", `"\ud83d\ud83d"`, `"\ud83d\ud83d"`, record.NotJSON, ""},
		{"half of a pair inside an array stays as it is", `["\ud83d"]`, `["\ud83d"]`, record.NotJSON, ""},
		{"half of a pair in a name stays as it is", `{"\ud83d":1}`, `{"\ud83d":1}`, record.NotJSON, ""},
		{"no JSON goes before out of range", `[1e999`, `[1e999`, record.NotJSON, ""},
		{"two values are no JSON", `1 2`, `1 2`, record.NotJSON, ""},
		{"two strings are no JSON", `"a" "b"`, `"a" "b"`, record.NotJSON, ""},
		{"a raw newline in a string is no JSON", "\"a\nb\"", "\"a\nb\"", record.NotJSON, ""},
		{"a leading zero is no JSON", `007`, `007`, record.NotJSON, ""},
		{"a plus sign is no JSON", `+1`, `+1`, record.NotJSON, ""},
		{"NaN is no JSON", `NaN`, `NaN`, record.NotJSON, ""},
		{"hexadecimal is no JSON", `0x10`, `0x10`, record.NotJSON, ""},
		{"an open string is no JSON", `"abc`, `"abc`, record.NotJSON, ""},
		{"a single quote mark is no JSON", `"`, `"`, record.NotJSON, ""},
		{"a trailing comma is no JSON", `[1,]`, `[1,]`, record.NotJSON, ""},
		{"an unknown escape is no JSON", `"\x"`, `"\x"`, record.NotJSON, ""},
		{"a byte order mark is no JSON", "\ufeff1", "\ufeff1", record.NotJSON, ""},
		{"bytes that are no UTF-8 are rejected", "\"\xff\"", nil, "", record.InvalidUTF8},
		{"a surrogate in UTF-8 is rejected", "\"\xed\xa0\xbd\"", nil, "", record.InvalidUTF8},
	} {
		v, note, reason, detail := ForkValue(tc.raw)
		if tc.value == nil && tc.reason == "" && tc.raw != "null" {
			tc.value = v // the depth tests do not spell it out
		}
		if !reflect.DeepEqual(v, tc.value) || note != tc.note || reason != tc.reason || (reason != "") != (detail != "") {
			t.Errorf("%s: %.40q became %.80v, note %q, reason %q (%s)", tc.rule, tc.raw, v, note, reason, detail)
		}
	}
}

// reference decodes JSON by encoding/json, which differs in what it does with halves of surrogate pairs alone.
func reference(text string) (record.Value, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("more than one value")
	}
	return convert(v)
}

func convert(v any) (record.Value, error) {
	switch v := v.(type) {
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return strconv.ParseFloat(v.String(), 64)
		}
		return strconv.ParseInt(v.String(), 10, 64)
	case []any:
		list := record.Array{}
		for _, e := range v {
			c, err := convert(e)
			if err != nil {
				return nil, err
			}
			list = append(list, c)
		}
		return list, nil
	case map[string]any:
		fields := record.Object{}
		for name, e := range v {
			c, err := convert(e)
			if err != nil {
				return nil, err
			}
			fields[name] = c
		}
		return fields, nil
	}
	return v, nil
}

func FuzzForkValue(f *testing.F) {
	for _, seed := range []string{
		`"x"`, `7`, `-0.5e+3`, `{"a":[null,true,"\u00e9\ud83d\ude00"]}`, `"\ud800"`, `99999999999999999999`, `1e999`,
		`[[[]]]`, "", "\"\xff\"", nested(101), `{"a":1,"a":2}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		v, note, reason, _ := ForkValue(raw)
		switch {
		case reason == record.InvalidUTF8:
			if utf8.ValidString(raw) {
				t.Fatalf("%q is valid UTF-8", raw)
			}
		case reason == record.TooDeep:
			if strings.Count(raw, "[")+strings.Count(raw, "{") <= record.MaxDepth {
				t.Fatalf("%q is not so deep", raw)
			}
		case reason == record.NumberOutOfRange:
			if _, err := reference(raw); !errors.Is(err, strconv.ErrRange) {
				t.Fatalf("%q is in range: %v", raw, err)
			}
		case note == record.NotJSON:
			if v != raw {
				t.Fatalf("%q became %q", raw, v)
			}
			// encoding/json takes halves of surrogate pairs as well.
			if json.Valid([]byte(raw)) && !strings.Contains(strings.ToLower(raw), `\ud`) {
				t.Fatalf("%q is JSON", raw)
			}
		default:
			want, err := reference(raw)
			if err != nil || !reflect.DeepEqual(v, want) {
				t.Fatalf("%q became %v, want %v (%v)", raw, v, want, err)
			}
		}
	})
}

func TestWhatIsWrittenAsJSONIsReadBack(t *testing.T) {
	value := rapid.Deferred(func() *rapid.Generator[record.Value] { return valueGenerator(4) })
	rapid.Check(t, func(t *rapid.T) {
		want := value.Draw(t, "value")
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got, note, reason, _ := ForkValue(string(text))
		if note != "" || reason != "" || !record.Equal(got, want) {
			t.Fatalf("%s became %v (%s %s)", text, got, note, reason)
		}
	})
}

func valueGenerator(depth int) *rapid.Generator[record.Value] {
	scalar := rapid.OneOf(
		rapid.Just[record.Value](nil),
		rapid.Map(rapid.Bool(), func(b bool) record.Value { return b }),
		rapid.Map(rapid.Int64(), func(n int64) record.Value { return n }),
		// Beyond 2^53 a whole number is written without a point and read as an integer, exactly.
		rapid.Map(rapid.Float64Range(-1<<53, 1<<53), func(f float64) record.Value { return f }),
		rapid.Map(rapid.String(), func(s string) record.Value { return s }),
	)
	if depth == 0 {
		return scalar
	}
	inner := rapid.Deferred(func() *rapid.Generator[record.Value] { return valueGenerator(depth - 1) })
	return rapid.OneOf(
		scalar,
		rapid.Map(rapid.SliceOfN(inner, 0, 4), func(l []record.Value) record.Value { return record.Array(l) }),
		rapid.Map(rapid.MapOfN(rapid.String(), inner, 0, 4), func(m map[string]record.Value) record.Value {
			return record.Object(m)
		}),
	)
}
