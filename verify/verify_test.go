package verify_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/verify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func run(t fataler, o verify.Options) *verify.Report {
	t.Helper()
	report, err := verify.New(o).Run(context.Background())
	if err != nil {
		t.Fatalf("%v", err)
	}
	if !report.Complete {
		t.Fatalf("a run without an error is not complete")
	}
	for kind, c := range report.Kinds {
		if c.Source != c.Rejected+c.Missing+c.Different+c.Agreeing || c.Target != c.Extra+c.Different+c.Agreeing || c.Ahead > c.Agreeing {
			t.Fatalf("%s: the figures do not add up: %+v", record.Kind(kind), c)
		}
	}
	return report
}

func lines(differences []record.Difference) []string {
	var list []string
	for _, d := range differences {
		if d.HasField != (d.Field != "" || d.HasField) {
			panic("a field without its name")
		}
		list = append(list, line(d))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// genOptions generates what may count as a difference.
func genOptions() *rapid.Generator[record.CompareOptions] {
	return rapid.Custom(func(t *rapid.T) record.CompareOptions {
		return record.CompareOptions{
			Policy: rapid.SampledFrom([]record.Policy{record.FailOnConflict, record.PreferSource, record.PreferTarget}).Draw(t, "policy"),
			Exact:  rapid.Bool().Draw(t, "exact"),
		}
	})
}

// genTarget generates a target that has most of what the source has, and all kinds of differences.
func genTarget(items []record.Item) *rapid.Generator[[]record.Document] {
	return rapid.Custom(func(t *rapid.T) []record.Document {
		documents := migrated(items)
		for range rapid.IntRange(0, 6).Draw(t, "changes") {
			documents = change(t, documents)
		}
		return documents
	})
}

// change makes one change to a target, whether it matters or not.
func change(t *rapid.T, documents []record.Document) []record.Document {
	if len(documents) == 0 || rapid.IntRange(0, 4).Draw(t, "new") == 0 {
		n := rapid.IntRange(0, 12).Draw(t, "user")
		it := genItem(record.Kind(rapid.IntRange(0, int(record.Remember)-1).Draw(t, "kind")), n).Draw(t, "like")
		if it.Record == nil {
			return documents
		}
		s := documentOf(*it.Record)
		s.Held.Unmodified = s.Held.Unmodified && rapid.Bool().Draw(t, "written")
		if s.Kind == record.APIKeys && rapid.Bool().Draw(t, "another key") {
			s.Held.APIKey = key(99)
		}
		for _, o := range documents {
			if o.Kind == s.Kind && o.User == s.User && o.Name == s.Name {
				return documents // a second document of one user has a test of its own
			}
		}
		if s.Kind != record.Metrics && rapid.IntRange(0, 3).Draw(t, "nobody") == 0 {
			s.User, s.Named, s.Name = 0, false, record.NameOf(rapid.SampledFrom([]string{"somebody", "7", "00123"}).Draw(t, "name"))
		}
		return append(documents, s)
	}
	i := rapid.IntRange(0, len(documents)-1).Draw(t, "at")
	if rapid.IntRange(0, 5).Draw(t, "delete") == 0 {
		return slices.Delete(documents, i, i+1)
	}
	s := clone(documents[i])
	s.Held.Unmodified = s.Held.Unmodified && rapid.Bool().Draw(t, "still written")
	switch s.Kind {
	case record.APIKeys:
		s.Held.APIKey = rapid.SampledFrom([]string{key(100), key(101), ""}).Draw(t, "key")
	case record.LastSeen, record.MonitoringSince:
		fields := []string{record.TimeField(s.Kind)}
		if s.Kind == record.MonitoringSince {
			fields = append(fields, "monitoring_since")
		}
		field := rapid.SampledFrom(fields).Draw(t, "field")
		at := int64(1_700_000_000) + rapid.Int64Range(-2_000_000, 2_000_000).Draw(t, "seconds")
		s.Held.Times[field] = rapid.SampledFrom([]any{at, at * 1000, float64(at), time.Unix(at, 0), "soon", at + 1<<40, int64(12)}).Draw(t, "time")
		if rapid.IntRange(0, 5).Draw(t, "no time") == 0 {
			delete(s.Held.Times, field)
		}
	case record.KV:
		name := genName().Draw(t, "name")
		s.Held.Fields[name] = genValue().Draw(t, "value")
		if rapid.IntRange(0, 3).Draw(t, "no field") == 0 {
			delete(s.Held.Fields, name)
		}
	case record.Metrics:
		s.Held.Fields["c1"] = rapid.SampledFrom([]record.Value{int64(0), int64(13), 11.5, "12", "many", int64(-1)}).Draw(t, "counter")
		s.Held.Untyped = rapid.IntRange(0, 3).Draw(t, "hidden") == 0
	}
	documents[i] = s
	return documents
}

func TestTheVerdictIsThatOfANaiveComparison(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := genItems(8).Draw(t, "source")
		documents := genTarget(items).Draw(t, "target")
		o := genOptions().Draw(t, "options")
		opts := options([][]record.Item{items}, documents, o)
		opts.Memory = rapid.SampledFrom([]int64{1, 2000, 0}).Draw(t, "memory")
		report := run(t, opts)
		o.Now = now
		if d := cmp.Diff(naive(items, documents, o), lines(report.Differences)); d != "" {
			t.Fatalf("-naive +verify:\n%s", d)
		}
		if report.Total != int64(len(report.Differences)) {
			t.Fatalf("%d differences are listed, %d are counted", len(report.Differences), report.Total)
		}
		if target := int64(len(documents)); sum(report, func(c verify.Counts) int64 { return c.Target }) != target {
			t.Fatalf("the target holds %d documents, the report says %+v", target, report.Kinds)
		}
		if source := int64(len(items)); sum(report, func(c verify.Counts) int64 { return c.Source }) != source {
			t.Fatalf("the source has %d records, the report says %+v", source, report.Kinds)
		}
	})
}

func sum(r *verify.Report, of func(verify.Counts) int64) (n int64) {
	for _, c := range r.Kinds {
		n += of(c)
	}
	return n
}

func TestOrderRepetitionAndSplittingChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := genItems(8).Draw(t, "source")
		documents := genTarget(items).Draw(t, "target")
		o := genOptions().Draw(t, "options")
		want := run(t, options([][]record.Item{items}, documents, o))

		parts := make([][]record.Item, rapid.IntRange(1, 4).Draw(t, "parts"))
		for _, it := range rapid.Permutation(items).Draw(t, "order") {
			p := rapid.IntRange(0, len(parts)-1).Draw(t, "part")
			parts[p] = append(parts[p], it)
			if it.Record != nil && rapid.IntRange(0, 3).Draw(t, "again") == 0 {
				parts[p] = append(parts[p], it)
			}
		}
		opts := options(parts, rapid.Permutation(documents).Draw(t, "documents"), o)
		opts.Memory = 1
		got := run(t, opts)
		if d := cmp.Diff(want.Kinds, got.Kinds); d != "" {
			t.Fatalf("-in order +otherwise:\n%s", d)
		}
		if d := cmp.Diff(want.Differences, got.Differences); d != "" {
			t.Fatalf("-in order +otherwise:\n%s", d)
		}
	})
}

// TestNoSingleChangeGoesUnnoticed makes thousands of single changes, each with the one difference that has to come of
// it.
func TestNoSingleChangeGoesUnnoticed(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for seed := range 30 {
		items := genItems(20).Filter(func(items []record.Item) bool { return len(items) > 20 }).Example(seed)
		documents := migrated(items)
		for range 100 {
			changed, want := mutation(random, documents)
			o := options([][]record.Item{items}, changed, record.CompareOptions{Exact: true})
			report := run(t, o)
			var found []string
			for _, d := range report.Differences {
				found = append(found, line(d))
			}
			slices.Sort(found)
			slices.Sort(want)
			if d := cmp.Diff(want, found); d != "" {
				t.Fatalf("-made +found:\n%s", d)
			}
		}
	}
}

// mutation returns a target with one change, and the differences that it makes.
func mutation(random *rand.Rand, documents []record.Document) ([]record.Document, []string) {
	changed := slices.Clone(documents)
	i := random.IntN(len(changed))
	s := clone(changed[i])
	changed[i] = s
	field := func(name string, t record.DifferenceType) []string {
		return []string{line(record.Difference{Kind: s.Kind, User: s.User, Name: s.Name.String(), Field: name, Type: t})}
	}
	if random.IntN(5) == 0 {
		return slices.Delete(changed, i, i+1), field("", record.Missing)
	}
	switch s.Kind {
	case record.APIKeys:
		bytes := []byte(s.Held.APIKey)
		bytes[random.IntN(len(bytes))] ^= 1
		changed[i].Held.APIKey = string(bytes)
		return changed, field("key", record.Different)
	case record.LastSeen, record.MonitoringSince:
		name := record.TimeField(s.Kind)
		at := s.Held.Times[name].(int64)
		switch random.IntN(5) {
		case 0:
			delete(s.Held.Times, name)
			return changed, field(name, record.Missing)
		case 1:
			s.Held.Times[name] = float64(at) // the same in another type
			return changed, nil
		case 2:
			s.Held.Times[name] = nil
			return changed, field(name, record.Different)
		}
		s.Held.Times[name] = at + []int64{-1, 1}[random.IntN(2)]<<random.IntN(16)
		return changed, field(name, record.Different)
	}
	names := make([]string, 0, len(s.Held.Fields))
	for name := range s.Held.Fields {
		names = append(names, name)
	}
	slices.Sort(names)
	name := names[random.IntN(len(names))]
	switch random.IntN(4) {
	case 0:
		delete(s.Held.Fields, name)
		return changed, field(name, record.Missing)
	case 1:
		s.Held.Fields["another"] = int64(1)
		return changed, field("another", record.Extra)
	case 2:
		if n, ok := s.Held.Fields[name].(int64); ok {
			s.Held.Fields[name] = float64(n) // the same in another type
			return changed, nil
		}
	}
	switch v := s.Held.Fields[name].(type) {
	case string:
		s.Held.Fields[name] = v + "\x00"
	case int64:
		s.Held.Fields[name] = v + 1
	case float64:
		s.Held.Fields[name] = v + 0.25
	case nil:
		s.Held.Fields[name] = ""
	case bool:
		s.Held.Fields[name] = !v
	case record.Array:
		s.Held.Fields[name] = append(slices.Clone(v), nil)
	case record.Object:
		s.Held.Fields[name] = record.Object{"a": "c"}
	}
	return changed, field(name, record.Different)
}

func TestASecondDocumentOfAUserIsAlwaysADifference(t *testing.T) {
	items := genItems(3).Filter(func(items []record.Item) bool { return len(migrated(items)) > 4 }).Example(1)
	documents := migrated(items)
	report := run(t, options([][]record.Item{items}, append(documents, documents[0]), record.CompareOptions{}))
	want := []record.Difference{{Kind: documents[0].Kind, User: documents[0].User, Type: record.Extra}}
	if d := cmp.Diff(want, report.Differences); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestWhatTheTargetCannotHoldIsRejectedAsByMigrate(t *testing.T) {
	r := record.Record{Kind: record.KV, User: userID(1), Fields: map[string]record.Field{"a.b": {Value: "x"}, "c": {Value: "y"}}}
	items := []record.Item{{Kind: record.KV, Record: &r}}
	limits := record.Limits{NoDots: true}
	o := options([][]record.Item{items}, nil, record.CompareOptions{Exact: true})
	o.Target = &fakeTarget{limits: limits, documents: migrated([]record.Item{limits.Apply(items[0])})}
	report := run(t, o)
	if report.Total != 0 || report.Rejects() != 1 || report.Reasons[record.InvalidFieldName] != 1 {
		t.Errorf("%d differences, rejects %v; want none, and one invalid-field-name", report.Total, report.Reasons)
	}
}

func TestTheFirstDifferencesAreListedAndAllAreCounted(t *testing.T) {
	var items []record.Item
	var want []record.Difference
	for n := range 500 {
		items = append(items, record.Item{Kind: record.LastSeen, Record: &record.Record{Kind: record.LastSeen, User: userID(n), Time: 1_700_000_000_000}})
		if n < 7 {
			want = append(want, record.Difference{Kind: record.LastSeen, User: userID(n), Type: record.Missing})
		}
	}
	o := options([][]record.Item{items}, nil, record.CompareOptions{})
	o.MaxDifferences, o.Memory, o.Buckets = 7, 50_000, 0
	report := run(t, o)
	if d := cmp.Diff(want, report.Differences); d != "" || report.Total != 500 {
		t.Errorf("%d differences; -want +listed:\n%s", report.Total, d)
	}
	if report.Passes < 5 {
		t.Errorf("500 records in %d passes, with memory for few", report.Passes)
	}
	o.MaxDifferences = 0
	if report := run(t, o); len(report.Differences) != 0 || report.Total != 500 {
		t.Errorf("lists %d of %d differences, asked for none", len(report.Differences), report.Total)
	}
}

func TestWhatDiffersIsReadAgain(t *testing.T) {
	items := genItems(6).Filter(func(items []record.Item) bool { return len(migrated(items)) > 10 }).Example(1)
	all := migrated(items)
	late := &fakeTarget{documents: all[:5]}
	passes := 0
	late.before = func(kind record.Kind) error {
		if kind == record.KV {
			if passes++; passes == 3 { // the tally, a closer look, and one recheck
				late.documents = all
			}
		}
		return nil
	}
	o := options([][]record.Item{items}, nil, record.CompareOptions{Exact: true})
	o.Kinds, o.Target, o.Recheck = record.Kinds(0).With(record.KV), late, 1
	report := run(t, o)
	if report.Total != 0 || report.Rechecks != 1 {
		t.Errorf("%d differences after %d rechecks", report.Total, report.Rechecks)
	}
	kv := int64(0)
	for _, it := range items {
		if it.Kind == record.KV {
			kv++
		}
	}
	if c := report.Kinds[record.KV]; c.Source != kv {
		t.Errorf("%d records after a recheck, want %d: %+v", c.Source, kv, c)
	}
	passes, late.documents, o.Recheck = 0, all[:5], 0
	if report := run(t, o); report.Total == 0 || report.Rechecks != 0 {
		t.Errorf("%d differences after %d rechecks, without one", report.Total, report.Rechecks)
	}
}

func TestOnlyNumbers(t *testing.T) {
	seen := func(n int) record.Item {
		return record.Item{Kind: record.LastSeen, Record: &record.Record{Kind: record.LastSeen, User: userID(n), Time: 1_700_000_000_000}}
	}
	rejected := record.Item{Kind: record.LastSeen, Rejects: []record.Reject{{Kind: record.LastSeen, User: userID(9), Reason: record.NotATimestamp}}}
	items := []record.Item{seen(1), seen(2), rejected}
	apiKey := record.Document{Kind: record.APIKeys, User: userID(1), Held: record.Held{APIKey: key(1)}}
	for name, tc := range map[string]struct {
		documents []record.Document
		exact     bool
		total     int64
	}{
		"as many":                      {migrated(items), false, 0},
		"one fewer":                    {migrated(items[:1]), false, 1},
		"one more is fine":             {migrated([]record.Item{seen(1), seen(2), seen(3)}), false, 0},
		"one more is not exact":        {migrated([]record.Item{seen(1), seen(2), seen(3)}), true, 1},
		"one more API key never is":    {append(migrated(items), apiKey), false, 1},
		"other content is not seen":    {migrated([]record.Item{seen(3), seen(4)}), true, 0},
		"a numeric user id is no user": {append(migrated(items[:1]), record.Document{Kind: record.LastSeen, Name: record.NameOf("7")}), false, 1},
	} {
		o := options([][]record.Item{items}, tc.documents, record.CompareOptions{Exact: tc.exact})
		o.CountsOnly = true
		report, err := verify.New(o).Run(context.Background())
		if err != nil || report.Total != tc.total || report.Kinds[record.LastSeen].Rejected != 1 || report.Reasons[record.NotATimestamp] != 1 {
			t.Errorf("%s: %d differences, %+v, %v; want %d", name, report.Total, report.Kinds[record.LastSeen], err, tc.total)
		}
	}
}
