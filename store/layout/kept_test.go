package layout_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/internal/rejectsfile"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

const someUser record.UserID = 94490510688792576

func values(depth int) *rapid.Generator[record.Value] {
	text := rapid.Map(rapid.String(), func(s string) record.Value { return s })
	all := []*rapid.Generator[record.Value]{
		text, rapid.Just[record.Value](nil), rapid.Map(rapid.Bool(), func(b bool) record.Value { return b }),
		rapid.Map(rapid.Int64(), func(n int64) record.Value { return n }), rapid.Map(rapid.Float64(), func(n float64) record.Value { return n }),
		rapid.Just[record.Value](record.Opaque{Type: 7, Data: []byte("123456789012")}),
	}
	if depth > 0 {
		all = append(all,
			rapid.Map(rapid.SliceOfN(values(depth-1), 0, 3), func(list []record.Value) record.Value { return record.Array(list) }),
			rapid.Map(rapid.MapOfN(rapid.String(), values(depth-1), 0, 3), func(m map[string]record.Value) record.Value { return record.Object(m) }))
	}
	return rapid.OneOf(all...)
}

// unkept reports whether something in v has no form in a file.
func unkept(v record.Value) bool {
	switch v := v.(type) {
	case float64:
		return math.IsNaN(v) || math.IsInf(v, 0)
	case record.Opaque:
		return true
	case record.Array:
		for _, e := range v {
			if unkept(e) {
				return true
			}
		}
	case record.Object:
		for _, e := range v {
			if unkept(e) {
				return true
			}
		}
	}
	return false
}

// TestWhatWasOverwrittenIsKeptWhole overwrites a pair of the target, and reads it back from the file.
func TestWhatWasOverwrittenIsKeptWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := values(2).Draw(t, "value")
		name := rapid.StringMatching(`[a-z]{1,5}`).Draw(t, "name")
		ours := record.Record{Kind: record.KV, User: someUser, Fields: map[string]record.Field{name: {Value: "a value of ours"}}}
		held := record.Held{Found: true, Fields: map[string]record.Value{name: v}}
		lost := record.Merge(ours, record.Existing{Held: held}, record.Bounds{}, record.PreferSource).Superseded
		if len(lost) != 1 {
			t.Fatalf("%d values gave way", len(lost))
		}
		text, err := rejectsfile.Line{Reject: record.Reject(lost[0])}.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		text = []byte(strings.Replace(string(text), `"reason":""`, `"reason":"superseded"`, 1))
		var line rejectsfile.Line
		if err := json.Unmarshal(text, &line); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		r, err := layout.Kept(record.Superseded(line.Reject))
		if unkept(v) {
			if err == nil {
				t.Fatalf("%#v is kept as %#v", v, r.Fields)
			}
			return
		}
		if err != nil || r.User != someUser || r.Kind != record.KV || len(r.Fields) != 1 || !record.Equal(r.Fields[name].Value, v) {
			t.Fatalf("%#v became %#v: %v", v, r, err)
		}
	})
}

func TestWhatIsKept(t *testing.T) {
	field := func(key, value string, form record.Form) record.Superseded {
		return record.Superseded{Key: key, Kind: record.KV, User: someUser, Field: "a", HasField: true, Value: record.Bytes{Data: value, Present: true, Form: form}}
	}
	apiKey := func(key, value string, form record.Form) record.Superseded {
		return record.Superseded{Key: key, Kind: record.APIKeys, User: someUser, Value: record.Bytes{Data: value, Present: true, Form: form}}
	}
	nobody, gone, date, whole := field("", "x", record.TextForm), field("", "x", record.TextForm), field("", "1", record.TextForm), field("", "x", record.TextForm)
	nobody.User, gone.Value, date.Kind, whole.Field = 0, record.Bytes{Type: "list"}, record.LastSeen, ""
	for name, tc := range map[string]struct {
		in     record.Superseded
		want   record.Value
		failed string
	}{
		"of upstream's layout":  {field("lanyard_kv:94490510688792576", "7", record.SourceForm), "7", ""},
		"of the fork's layout":  {field("lanyard:user_kv:94490510688792576", "7", record.SourceForm), int64(7), ""},
		"no JSON of the fork's": {field("lanyard:user_kv:94490510688792576", "{", record.SourceForm), "{", ""},
		"no text of upstream's": {field("lanyard_kv:94490510688792576", "\xff", record.SourceForm), nil, "it cannot be read: invalid-utf8"},
		"text of the target":    {field("", "7", record.TextForm), "7", ""},
		"JSON of the target":    {field("", "7", record.JSONForm), int64(7), ""},
		"damaged JSON":          {field("", "{", record.JSONForm), nil, "its JSON cannot be read"},
		"JSON that shows more":  {field("", "{}", record.ShownForm), nil, "its type has no form in the file"},
		"of an older version":   {field("", "7", record.SourceForm), nil, "kept by a version that did not say in what form"},
		"a date":                {date, nil, "the next migration would replace it again"},
		"nobody's":              {nobody, nil, "no user has it"},
		"no value":              {gone, nil, "its type has no form in the file"},
		"all pairs":             {whole, nil, "it is no single key-value pair"},
		"a key of the target":   {apiKey("", "old", record.TextForm), "old", ""},
		"a key of Redis":        {apiKey("api_key:old", "94490510688792576", record.SourceForm), "old", ""},
		"no key":                {apiKey("", "7", record.JSONForm), nil, "it is no API key"},
	} {
		r, err := layout.Kept(tc.in)
		switch {
		case tc.failed != "":
			if err == nil || !strings.Contains(err.Error(), tc.failed) {
				t.Errorf("%s: %v, %v", name, r, err)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case tc.in.Kind == record.APIKeys && r.APIKey != tc.want, tc.in.Kind == record.KV && !record.Equal(r.Fields["a"].Value, tc.want):
			t.Errorf("%s: %#v", name, r)
		}
	}
}
