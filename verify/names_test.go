package verify_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
)

// TestWhatWasMergedIsFoundWhoeverItIsOf merges records of users and of names into a store, leaves one out, and expects
// that one missing and nothing else.
func TestWhatWasMergedIsFoundWhoeverItIsOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := genItems(8).Draw(t, "source")
		store := mem.New(mem.Options{Limits: record.Limits{Named: true}, Now: func() time.Time { return now }})
		left := rapid.IntRange(-1, len(items)-1).Draw(t, "left out")
		var missing []string
		for i, it := range items {
			if it = store.Limits().Apply(it); it.Record == nil {
				continue
			}
			if r := *it.Record; i == left {
				missing = append(missing, line(record.Difference{
					Kind: r.Kind, User: r.User, Name: r.Name.String(), Type: record.Missing,
				}))
				continue
			}
			for _, want := range []record.Status{record.Inserted, record.Unchanged} {
				outcomes, err := store.Write(context.Background(), []record.Record{*it.Record}, nil)
				if err != nil || outcomes[0].Status != want {
					t.Fatalf("%s of %q: %+v, %v", it.Kind, it.Identity(), outcomes, err)
				}
			}
		}
		o := options([][]record.Item{items}, nil, record.CompareOptions{Exact: rapid.Bool().Draw(t, "exact")})
		o.Target = store.Reader()
		if found := lines(run(t, o).Differences); len(found) != len(missing) || len(missing) > 0 && found[0] != missing[0] {
			t.Errorf("%q, want %q", found, missing)
		}
	})
}

func TestANumberOrOtherTextIsNotTheName(t *testing.T) {
	r := record.Record{Kind: record.LastSeen, Name: record.NameOf("row 1"), Time: 1_700_000_000_000}
	s := documentOf(r)
	for name, change := range map[string]func(*record.Document){
		"another name":                   func(s *record.Document) { s.Name = record.NameOf("row 2") },
		"text that is not an identity":   func(s *record.Document) { s.Named = false },
		"a number of which that is text": func(s *record.Document) { s.Named, s.Numeric = false, true },
	} {
		other := s
		change(&other)
		o := options([][]record.Item{{{Kind: r.Kind, Record: &r}}}, []record.Document{other}, record.CompareOptions{Exact: true})
		if c := run(t, o).Kinds[r.Kind]; c.Missing != 1 || c.Extra != 1 {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

func TestANumberThatGivesTheUserIsNotSeenByTheApp(t *testing.T) {
	r := record.Record{Kind: record.LastSeen, User: userID(1), Time: 1_700_000_000_000}
	s := documentOf(r)
	s.Name, s.Numeric = record.NameOf(r.User.String()), true
	o := options([][]record.Item{{{Kind: r.Kind, Record: &r}}}, []record.Document{s}, record.CompareOptions{Exact: true})
	report := run(t, o)
	want := []record.Difference{
		{Kind: r.Kind, Name: s.Name.String(), Numeric: true, Type: record.Extra},
		{Kind: r.Kind, User: r.User, Type: record.Missing},
	}
	if !slices.Equal(report.Differences, want) || report.Kinds[r.Kind].Numeric != 1 {
		t.Errorf("%+v, %+v", report.Differences, report.Kinds[r.Kind])
	}
}
