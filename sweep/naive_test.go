package sweep_test

import (
	"bytes"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
	"github.com/lanyardctl/lanyardctl/store/storetest/dated"
	"github.com/lanyardctl/lanyardctl/sweep"
)

// fill puts a world's documents into memory.
func fill(w *dated.World) *mem.Documents {
	docs := mem.NewDocuments(record.Limits{})
	for _, d := range w.Documents {
		docs.Insert(d.Collection, d.Fields)
	}
	return docs
}

// fields returns the documents of a collection.
func fields(docs *mem.Documents, c record.Collection) []map[string]any {
	return slices.Collect(maps.Values(docs.All(c)))
}

// dump returns all documents, by collection and ID.
func dump(docs *mem.Documents) map[record.Collection]map[string][]byte {
	all := make(map[record.Collection]map[string][]byte)
	for _, c := range record.UserCollections {
		all[c] = docs.Dump(c)
	}
	return all
}

func sameDump(a, b map[record.Collection]map[string][]byte) bool {
	return maps.EqualFunc(a, b, func(a, b map[string][]byte) bool { return maps.EqualFunc(a, b, bytes.Equal) })
}

// run sweeps, and fails the test where that fails.
func run(t testing.TB, o sweep.Options) *sweep.Report {
	t.Helper()
	if o.Now.IsZero() {
		o.Now = dated.Now
	}
	o.Watch = time.Millisecond
	r, err := sweep.New(o).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if sum := r.Created + r.Changed + r.Merged + r.Unchanged + r.Undated + r.Left; r.Users != sum {
		t.Errorf("%d users, and %d in the columns", r.Users, sum)
	}
	var won int64
	for _, p := range r.Places {
		won += p.Won
	}
	if won != r.Users-r.Undated {
		t.Errorf("%d users have a date, and places won %d", r.Users-r.Undated, won)
	}
	return r
}

func TestASweepIsWhatANaiveOneWouldBe(t *testing.T) {
	t.Parallel()
	world := dated.New(1, 20_000)
	docs := fill(world)
	before := fields(docs, record.MonitoringCollection)
	rest := dump(docs)

	planned := run(t, sweep.Options{Documents: docs, DryRun: true})
	if docs.Writes() != 0 {
		t.Errorf("a dry run made %d changes", docs.Writes())
	}
	journal := mem.NewJournal()
	done := run(t, sweep.Options{Documents: docs, Journal: journal, Leases: journal, Memory: 1 << 20, TempDir: t.TempDir()})
	for _, fault := range world.Check(before, fields(docs, record.MonitoringCollection)) {
		t.Error(fault)
	}
	now := dump(docs)
	now[record.MonitoringCollection] = rest[record.MonitoringCollection]
	if !sameDump(rest, now) {
		t.Error("other collections were touched")
	}
	checkFigures(t, world, done)
	planned.ID, planned.DryRun, planned.StartedAt, planned.Duration = done.ID, false, done.StartedAt, done.Duration
	if diff := cmp.Diff(done, planned); diff != "" {
		t.Error("the dry run foresaw something else: ", diff)
	}

	again := run(t, sweep.Options{Documents: docs, Journal: journal, Leases: journal})
	if again.Changes != 0 || again.ID != "" || again.Unchanged != again.Users-again.Undated {
		t.Errorf("a second sweep changes something: %+v", again)
	}
}

// checkFigures compares a report with what is known of the world.
func checkFigures(t *testing.T, w *dated.World, r *sweep.Report) {
	t.Helper()
	var want sweep.Columns
	after := make(map[int]int64)
	for _, e := range w.Users {
		switch {
		case e.Date == 0:
			want.Undated++
			continue
		case e.Right:
			want.Unchanged++
		case e.Standing == 0:
			want.Created++
		case e.Standing == 1:
			want.Changed++
		default:
			want.Merged++
		}
		after[sweep.YearOf(e.Date)]++
	}
	if diff := cmp.Diff(want, r.Columns); diff != "" {
		t.Error("columns: ", diff)
	}
	if r.Users != int64(len(w.Users)) {
		t.Errorf("%d users of %d", r.Users, len(w.Users))
	}
	if diff := cmp.Diff(after, r.After); diff != "" {
		t.Error("years after: ", diff)
	}
	for _, p := range r.Places {
		var n int64
		for _, count := range p.Implausible {
			n += count
		}
		if n != w.Implausible[p.Place.Name] {
			t.Errorf("%s: %d implausible values, want %d", p.Place.Name, n, w.Implausible[p.Place.Name])
		}
	}
	for _, c := range r.Collections {
		if c.Nobodys != w.Nobodys[c.Collection] {
			t.Errorf("%s: %d documents of nobody, want %d", c.Collection, c.Nobodys, w.Nobodys[c.Collection])
		}
	}
}

func TestUsersOwnDatesCountAsTheyAreToldTo(t *testing.T) {
	t.Parallel()
	for _, policy := range []sweep.UserDates{sweep.CountUserDates, sweep.LastResortUserDates, sweep.NeverUserDates} {
		t.Run(policy.String(), func(t *testing.T) {
			t.Parallel()
			world := dated.New(2, 2000)
			docs := fill(world)
			before := fields(docs, record.MonitoringCollection)
			var decided int64
			for user, e := range world.Users {
				switch policy {
				case sweep.LastResortUserDates:
					if e.Of != 0 {
						e.Date = e.Of
					}
				case sweep.NeverUserDates:
					e.Date = e.Of
				}
				if e.Date != 0 && e.Date != e.Of {
					decided++
				}
				e.Right = false // what was said of it was for another policy
				world.Users[user] = e
			}
			r := run(t, sweep.Options{Documents: docs, Journal: mem.NewJournal(), Leases: new(mem.Leases), UserDates: policy})
			for _, fault := range world.Check(before, fields(docs, record.MonitoringCollection)) {
				t.Error(fault)
			}
			if r.ByUsers != decided {
				t.Errorf("%d dates are users' own, want %d", r.ByUsers, decided)
			}
		})
	}
}
