package record_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	. "github.com/lanyardctl/lanyardctl/record"
)

// told returns differences as text: "missing a, different b".
func told(found []Difference) string {
	var list []string
	for _, d := range found {
		if !d.HasField {
			list = append(list, d.Type.String())
			continue
		}
		list = append(list, d.Type.String()+" "+d.Field)
	}
	return strings.Join(list, ", ")
}

func TestCompare(t *testing.T) {
	type held = map[string]Value
	const source, target = PreferSource, PreferTarget
	for name, c := range map[string]struct {
		kind    Kind
		ours    Record
		theirs  Held
		policy  Policy
		want    string
		exactly string
	}{
		"the same API key":                        {APIKeys, Record{APIKey: "k"}, Held{APIKey: "k"}, 0, "", ""},
		"an API key of the app's":                 {APIKeys, Record{APIKey: "k"}, Held{APIKey: "app"}, 0, "different key", "different key"},
		"an API key of the app's, source wins":    {APIKeys, Record{APIKey: "k"}, Held{APIKey: "app"}, source, "different key", "different key"},
		"an API key of the app's, target wins":    {APIKeys, Record{APIKey: "k"}, Held{APIKey: "app"}, target, "", "different key"},
		"an old API key of ours, target wins":     {APIKeys, Record{APIKey: "k"}, Held{APIKey: "old", Unmodified: true}, target, "different key", "different key"},
		"an old API key of ours":                  {APIKeys, Record{APIKey: "k"}, Held{APIKey: "old", Unmodified: true}, 0, "different key", "different key"},
		"a document without an API key":           {APIKeys, Record{APIKey: "k"}, Held{}, 0, "missing key", "missing key"},
		"equal pairs":                             {KV, fields("a", int64(7), "b", Object{"x": nil, "y": 1.0}), Held{Fields: held{"a": 7.0, "b": Object{"y": int64(1), "x": nil}}}, 0, "", ""},
		"a pair that is missing":                  {KV, fields("a", "x", "b", "y"), Held{Fields: held{"a": "x"}}, target, "missing b", "missing b"},
		"a pair that is null is not missing":      {KV, fields("a", "x"), Held{Fields: held{"a": nil}}, 0, "different a", "different a"},
		"null is not the text":                    {KV, fields("a", nil), Held{Fields: held{"a": "null"}}, 0, "different a", "different a"},
		"a pair that is null is there":            {KV, fields("a", nil), Held{}, 0, "missing a", "missing a"},
		"a pair of the app's":                     {KV, fields("a", "x"), Held{Fields: held{"a": "app"}}, 0, "different a", "different a"},
		"a pair of the app's, source wins":        {KV, fields("a", "x"), Held{Fields: held{"a": "app"}}, source, "different a", "different a"},
		"a pair of the app's, target wins":        {KV, fields("a", "x"), Held{Fields: held{"a": "app"}}, target, "", "different a"},
		"an old pair of ours, target wins":        {KV, fields("a", "x"), Held{Unmodified: true, Fields: held{"a": "old"}}, target, "different a", "different a"},
		"more pairs of the app's":                 {KV, fields("a", "x"), Held{Fields: held{"a": "x", "b": "app"}}, 0, "", "extra b"},
		"more pairs of the app's, source wins":    {KV, fields("a", "x"), Held{Fields: held{"a": "x", "b": "app"}}, source, "", "extra b"},
		"a pair of ours that is gone":             {KV, fields("a", "x"), Held{Unmodified: true, Fields: held{"a": "x", "b": "old"}}, 0, "extra b", "extra b"},
		"a pair of ours that is gone, target":     {KV, fields("a", "x"), Held{Unmodified: true, Fields: held{"a": "x", "b": "old"}}, target, "extra b", "extra b"},
		"a pair of ours that is rejected":         {KV, leftOut(fields("a", "x"), "b"), Held{Unmodified: true, Fields: held{"a": "x", "b": "old"}}, 0, "", ""},
		"another pair of ours than the rejected":  {KV, leftOut(fields("a", "x"), "b"), Held{Unmodified: true, Fields: held{"a": "x", "c": "old"}}, 0, "extra c", "extra c"},
		"pairs beside a layout not to be read":    {KV, leftOut(fields("a", "x")), Held{Unmodified: true, Fields: held{"a": "x", "b": "old"}}, 0, "", ""},
		"rejected elsewhere, but different":       {KV, leftOut(fields("a", "x"), "a"), Held{Fields: held{"a": "y"}}, 0, "different a", "different a"},
		"no document where pairs belong":          {KV, fields("a", "x"), Held{Malformed: "text"}, 0, "missing a", "missing a"},
		"several in order":                        {KV, fields("b", "x", "a", "x", "d", "x"), Held{Fields: held{"a": "y", "c": "z", "b": "x"}}, 0, "different a, missing d", "different a, extra c, missing d"},
		"the same time":                           {LastSeen, Record{Time: 1664641326417}, times("timestamp", int64(1664641326417)), 0, "", ""},
		"the same time as text":                   {LastSeen, Record{Time: 1664641326417}, times("timestamp", "1664641326417"), 0, "", ""},
		"the same time as a double":               {LastSeen, Record{Time: 1664641326417}, times("timestamp", 1664641326417.0), 0, "", ""},
		"a later time":                            {LastSeen, Record{Time: 1664641326417}, times("timestamp", int64(1664641326418)), 0, "", "different timestamp"},
		"an earlier time":                         {LastSeen, Record{Time: 1664641326417}, times("timestamp", int64(1664641326416)), target, "different timestamp", "different timestamp"},
		"seconds, which tell less":                {LastSeen, Record{Time: 1664641326417}, times("timestamp", int64(1664641326)), 0, "different timestamp", "different timestamp"},
		"no time":                                 {LastSeen, Record{Time: 1664641326417}, Held{}, 0, "missing timestamp", "missing timestamp"},
		"words for a time":                        {LastSeen, Record{Time: 1664641326417}, times("timestamp", "soon"), 0, "different timestamp", "different timestamp"},
		"a time in the far future":                {LastSeen, Record{Time: 1664641326417}, times("timestamp", now.AddDate(1, 0, 0).UnixMilli()), 0, "different timestamp", "different timestamp"},
		"an earlier date":                         {MonitoringSince, Record{Time: 1664641326}, times("since", int64(1600000000)), 0, "", "different since"},
		"a later date":                            {MonitoringSince, Record{Time: 1664641326}, times("since", int64(1700000000)), 0, "different since", "different since"},
		"a date before the account":               {MonitoringSince, Record{Time: 1664641326}, times("since", int64(1430000000)), 0, "different since", "different since"},
		"the date in a fork's field alone":        {MonitoringSince, Record{Time: 1664641326}, times("monitoring_since", int64(1664641326)), 0, "missing since", "missing since"},
		"an earlier date in a fork's field":       {MonitoringSince, Record{Time: 1664641326}, times("since", int64(1664641326), "monitoring_since", int64(1600000000)), 0, "different since", "different since"},
		"an earlier date in both fields":          {MonitoringSince, Record{Time: 1664641326}, times("since", int64(1600000000), "monitoring_since", int64(1600000000)), 0, "", "different since"},
		"a later date in a fork's field":          {MonitoringSince, Record{Time: 1664641326}, times("since", int64(1664641326), "monitoring_since", int64(1700000000)), 0, "", ""},
		"equal counters":                          {Metrics, fields("a", int64(12)), Held{Fields: held{"a": 12.0}}, 0, "", ""},
		"a counter as text":                       {Metrics, fields("a", int64(12)), Held{Fields: held{"a": "12.0"}}, 0, "", ""},
		"a larger counter":                        {Metrics, fields("a", int64(12)), Held{Fields: held{"a": 12.5}}, 0, "", "different a"},
		"a larger counter as text":                {Metrics, fields("a", int64(12)), Held{Fields: held{"a": "13"}}, 0, "", "different a"},
		"a smaller counter":                       {Metrics, fields("a", int64(12)), Held{Fields: held{"a": int64(11)}}, target, "different a", "different a"},
		"no counter":                              {Metrics, fields("a", int64(0)), Held{}, 0, "missing a", "missing a"},
		"words for a counter":                     {Metrics, fields("a", int64(0)), Held{Fields: held{"a": "many"}}, 0, "different a", "different a"},
		"another counter":                         {Metrics, fields("a", int64(0)), Held{Fields: held{"a": int64(0), "b": int64(1)}}, 0, "", "extra b"},
		"a counter beyond what doubles tell":      {Metrics, fields("a", int64(1<<53+1)), Held{Fields: held{"a": float64(1 << 53)}}, 0, "different a", "different a"},
		"minus zero":                              {Metrics, fields("a", int64(0)), Held{Fields: held{"a": math.Copysign(0, -1)}}, 0, "", ""},
		"names that sort by bytes":                {KV, fields("", "x", "\xff", "x", "é", "x"), Held{}, 0, "missing , missing é, missing \xff", "missing , missing é, missing \xff"},
		"a document of two kinds of fields alone": {KV, fields("a", Array{"x"}), Held{Fields: held{"a": Object{"0": "x"}}}, 0, "different a", "different a"},
	} {
		t.Run(name, func(t *testing.T) {
			c.ours.Kind, c.ours.User, c.theirs.Found = c.kind, user, true
			if c.kind == Metrics {
				c.ours.User = 0
			}
			s := Document{Kind: c.kind, User: c.ours.User, Held: c.theirs}
			for _, exact := range []bool{false, true} {
				want := c.want
				if exact {
					want = c.exactly
				}
				found := Compare(c.ours, s, CompareOptions{Policy: c.policy, Exact: exact, Now: now}).Differences
				if got := told(found); got != want {
					t.Errorf("exact %v: %q, want %q", exact, got, want)
				}
				for _, d := range found {
					if d.Kind != c.kind || d.User != c.ours.User || d.Name != "" || !d.HasField {
						t.Errorf("%+v", d)
					}
				}
			}
		})
	}
}

func leftOut(r Record, names ...string) Record {
	r.Omitted = &Omitted{All: len(names) == 0, Names: names}
	return r
}

// genPair generates a record and a document that is often near to it.
func genPair(t *rapid.T) (Record, Document) {
	kind := genKind().Draw(t, "kind")
	r := genRecord(kind).Draw(t, "record")
	var s Document
	switch rapid.IntRange(0, 2).Draw(t, "document") {
	case 0:
		s = documentOf(t, r)
	case 1:
		s = documentOf(t, genRecord(kind).Draw(t, "earlier"))
	default:
		s = genDocument(kind).Draw(t, "document")
	}
	if kind == KV {
		r.Omitted = &Omitted{
			All:   rapid.IntRange(0, 9).Draw(t, "layout") == 0,
			Names: rapid.SliceOf(rapid.SampledFrom([]string{"a", "d"})).Draw(t, "left out"),
		}
	}
	return r, s
}

func genPolicy() *rapid.Generator[Policy] {
	return rapid.SampledFrom([]Policy{FailOnConflict, PreferSource, PreferTarget})
}

// TestCompareFindsWhatMergeWouldDo is the law that nothing is found exactly where merging once more rejects nothing and
// leaves the document saying what it says.
func TestCompareFindsWhatMergeWouldDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, s := genPair(t)
		policy := genPolicy().Draw(t, "policy")
		found := Compare(r, s, CompareOptions{Policy: policy, Now: now}).Differences
		d, after := merge(r, Existing{Held: s.Held}, policy)
		then := Document{Kind: s.Kind, User: s.User, Held: after.Held}
		nothing := len(d.Rejects) == 0 && s.Content(now).Record.Digest() == then.Content(now).Record.Digest()
		if (len(found) == 0) != nothing {
			t.Errorf("found %q, and merging decides %+v", told(found), d)
		}
		if left := Compare(r, then, CompareOptions{Policy: policy, Now: now}).Differences; len(d.Rejects) == 0 && len(left) > 0 {
			t.Errorf("after merging: %q", told(left))
		}
	})
}

func TestExactFindsWhatIsNotEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, s := genPair(t)
		policy := genPolicy().Draw(t, "policy")
		found := Compare(r, s, CompareOptions{Policy: policy, Exact: true, Now: now}).Differences
		c := s.Content(now)
		excused := c.Record
		excused.Fields = maps.Clone(c.Record.Fields)
		maps.DeleteFunc(excused.Fields, func(name string, _ Field) bool {
			_, ours := r.Fields[name]
			return !ours && r.Omitted.Has(name)
		})
		if equal := excused.Digest() == r.Digest() && c.Complete; equal != (len(found) == 0) {
			t.Errorf("equal %v (plain %v), and found %q", equal, c.Complete, told(found))
		}
		if more := Compare(r, s, CompareOptions{Policy: policy, Now: now}).Differences; len(more) > len(found) {
			t.Errorf("%q where not exact, %q where exact", told(more), told(found))
		}
	})
}

// TestPlainContentOfOneDigestNeedsNoLook is the law on which comparing by sums of digests rests.
func TestPlainContentOfOneDigestNeedsNoLook(t *testing.T) {
	same := 0
	rapid.Check(t, func(t *rapid.T) {
		r, s := genPair(t)
		if c := s.Content(now); !c.Complete || c.Record.Digest() != r.Digest() {
			return
		}
		same++
		for _, exact := range []bool{false, true} {
			if found := Compare(r, s, CompareOptions{Policy: genPolicy().Draw(t, "policy"), Exact: exact, Now: now}).Differences; len(found) > 0 {
				t.Errorf("found %q, exact %v", told(found), exact)
			}
		}
	})
	if same == 0 {
		t.Error("no record was ever that of its document")
	}
}

// mutation changes one field of a document.
type mutation struct {
	document  Document
	field     string
	want      DifferenceType
	exactOnly bool // a target may be ahead
}

func genMutation(t *rapid.T, r Record) mutation {
	s := documentOf(t, r)
	s.Held.Unmodified = false // whoever changed it did not sign it
	m := mutation{want: Different}
	remove := rapid.Bool().Draw(t, "remove")
	if remove {
		m.want = Missing
	}
	switch r.Kind {
	case APIKeys:
		m.field, s.Held.APIKey = "key", ""
		if !remove {
			s.Held.APIKey = rapid.StringN(1, 40, -1).Filter(func(k string) bool { return k != r.APIKey }).Draw(t, "key")
		}
	case LastSeen, MonitoringSince:
		m.field = TimeField(r.Kind)
		s.Held.Times = make(map[string]any)
		if !remove {
			by := rapid.Int64Range(-1000, 1000).Filter(func(n int64) bool { return n != 0 }).Draw(t, "by")
			m.exactOnly = by > 0 == (r.Kind == LastSeen)
			s.Held.Times[m.field] = r.Time + by
			if rapid.IntRange(0, 9).Draw(t, "junk") == 0 {
				m.exactOnly = false
				s.Held.Times[m.field] = rapid.SampledFrom([]any{"soon", nil, true, int64(-1), int64(7), now.AddDate(2, 0, 0)}).Draw(t, "value")
			}
		}
	case KV, Metrics:
		m.field = rapid.SampledFrom(r.FieldNames()).Draw(t, "field")
		s.Held.Fields = maps.Clone(s.Held.Fields)
		was := s.Held.Fields[m.field]
		switch {
		case rapid.IntRange(0, 3).Draw(t, "add") == 0:
			m.field, m.want, m.exactOnly = "added", Extra, true
			s.Held.Fields[m.field] = was
		case remove:
			delete(s.Held.Fields, m.field)
		case r.Kind == KV:
			s.Held.Fields[m.field] = genValue().Filter(func(v Value) bool { return !Equal(v, was) }).Draw(t, "value")
		default:
			v := rapid.SampledFrom([]Value{int64(0), 0.5, int64(1), 1.25, int64(8), 9.5, int64(100), "many", nil, int64(-1)}).Filter(func(v Value) bool { return !Equal(v, was) }).Draw(t, "counter")
			s.Held.Fields[m.field] = v
			m.exactOnly = number(v) > number(was)
		}
	}
	m.document = s
	return m
}

// number returns a counter, or less than any where it is none.
func number(v Value) float64 {
	switch n := v.(type) {
	case int64:
		return float64(n)
	case float64:
		return n
	}
	return -1
}

func TestEveryChangeOfOneFieldIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := genRecord(genKind().Draw(t, "kind")).Draw(t, "record")
		m := genMutation(t, r)
		policy := rapid.SampledFrom([]Policy{FailOnConflict, PreferSource}).Draw(t, "policy")
		want := fmt.Sprintf("%s %s", m.want, m.field)
		if got := told(Compare(r, m.document, CompareOptions{Policy: policy, Exact: true, Now: now}).Differences); got != want {
			t.Errorf("exact: %q, want %q", got, want)
		}
		if m.exactOnly {
			want = ""
		}
		if got := told(Compare(r, m.document, CompareOptions{Policy: policy, Now: now}).Differences); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if c := m.document.Content(now); c.Record.Digest() == r.Digest() {
			t.Error("the content has the record's digest")
		}
	})
}

// TestExtraIsTheSourcesLossAlone is the law on fields that only the target has.
func TestExtraIsTheSourcesLossAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, s := genPair(t)
		exact := rapid.Bool().Draw(t, "exact")
		extra := make(map[string]bool)
		for _, d := range Compare(r, s, CompareOptions{Policy: genPolicy().Draw(t, "policy"), Exact: exact, Now: now}).Differences {
			if d.Type == Extra {
				extra[d.Field] = true
			}
		}
		for name := range s.Held.Fields {
			_, ours := r.Fields[name]
			want := !ours && !r.Omitted.Has(name) && (exact || s.Held.Unmodified)
			if extra[name] != want {
				t.Errorf("extra %q: %v, want %v", name, extra[name], want)
			}
			delete(extra, name)
		}
		for name := range extra {
			t.Errorf("%q is extra, and not there", name)
		}
	})
}

// TestWhereTheTargetWins is the law on what the policy lets the target keep.
func TestWhereTheTargetWins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]Kind{APIKeys, KV}).Draw(t, "kind")
		r, s := genRecord(kind).Draw(t, "record"), genDocument(kind).Draw(t, "document")
		target := told(Compare(r, s, CompareOptions{Policy: PreferTarget, Now: now}).Differences)
		if s.Held.Unmodified {
			if source := told(Compare(r, s, CompareOptions{Policy: PreferSource, Now: now}).Differences); target != source {
				t.Errorf("what lanyardctl wrote: %q, where the source wins %q", target, source)
			}
			return
		}
		if strings.Contains(target, "different") || strings.Contains(target, "extra") {
			t.Errorf("what somebody else wrote: %q", target)
		}
	})
}

func TestDifferencesAreOrderedByKindUserAndField(t *testing.T) {
	want := []Difference{
		{Kind: APIKeys, User: 2, Field: "key", HasField: true},
		{Kind: KV},
		{Kind: KV, Name: "nobody"},
		{Kind: KV, User: 1, Field: "b", HasField: true},
		{Kind: KV, User: 2, Field: "a", HasField: true},
		{Kind: KV, User: 2, Field: "a", HasField: true, Type: Different},
		{Kind: KV, User: 10},
		{Kind: Metrics},
	}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, Difference.Compare)
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	for d, text := range map[DifferenceType]string{Missing: "missing", Different: "different", Extra: "extra", 9: "difference(9)"} {
		if b, err := d.MarshalText(); err != nil || string(b) != text {
			t.Errorf("%d is %q, %v", d, b, err)
		}
	}
}
