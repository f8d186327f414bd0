package report

import (
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/persistence"
	"github.com/lanyardctl/lanyardctl/record"
)

// Metrics is what metrics show tells: the stored counters of each store.
type Metrics struct {
	Layer
	persistence.Answer
	Stores []string // that were asked
}

// places returns what stands in each place; one without anything for a store that holds nothing.
func (m Metrics) places() []persistence.Origin {
	var places []persistence.Origin
	for _, store := range m.Stores {
		held := len(places)
		for _, o := range m.All {
			if o.Store == store {
				places = append(places, o)
			}
		}
		if len(places) == held {
			places = append(places, persistence.Origin{Store: store})
		}
	}
	return places
}

// names returns those of all counters that are anywhere: the app's own first.
func (m Metrics) names() []string {
	others := make(map[string]bool)
	for _, o := range m.All {
		for name := range o.Fields {
			others[name] = true
		}
		for name := range o.Unreadable {
			others[name] = true
		}
	}
	var names []string
	for _, name := range record.AppCounters() {
		if others[name] {
			names = append(names, name)
			delete(others, name)
		}
	}
	return append(names, slices.Sorted(maps.Keys(others))...)
}

// differs reports whether the stores do not all hold the same of a counter.
func (m Metrics) differs(name string) bool {
	places := m.places()
	return slices.ContainsFunc(places, func(o persistence.Origin) bool {
		v, held := o.Fields[name]
		first, firstHeld := places[0].Fields[name]
		return held != firstHeld || !record.Equal(v, first)
	})
}

// Text returns m for people. It ends with a newline.
func (m Metrics) Text(l ui.Style) string {
	t := newBuilder(l)
	names := m.names()
	if len(names) == 0 {
		t.Line("No counter is stored.")
	} else {
		t.counters(m, names)
	}
	t.faults(m.Faults())
	t.warnings(m.Warnings)
	return t.String()
}

// counters writes a table with a column for each place that holds counters.
func (t *builder) counters(m Metrics, names []string) {
	table := ui.Table{Head: []string{"counter"}}
	places := m.places()
	for i, o := range places {
		head := o.Store
		if slices.ContainsFunc(places, func(other persistence.Origin) bool { return other.Store == o.Store && other.Place != o.Place }) {
			head += " " + ui.ShownWord(o.Place)
		}
		if slices.Contains(table.Head, head) {
			head += " " + strconv.Itoa(i+1)
		}
		table.Head = append(table.Head, head)
	}
	table.Head = append(table.Head, "")
	for _, name := range names {
		row := []string{ui.ShownName(name)}
		for _, o := range places {
			switch v, held := o.Fields[name]; {
			case held:
				row = append(row, counterText(v))
			case o.Unreadable[name] != "":
				row = append(row, "unreadable")
			default:
				row = append(row, "-")
			}
		}
		mark := ""
		if m.differs(name) {
			mark = "differs"
		}
		table.Rows = append(table.Rows, append(row, mark))
	}
	t.Table(table)
}

// counterText returns a counter for people, "-" for none.
func counterText(v record.Value) string {
	switch n := v.(type) {
	case nil:
		return "-"
	case int64:
		return ui.Thousands(n)
	case float64:
		if whole := int64(n); math.Abs(n) < 1<<53 && float64(whole) == n {
			return ui.Thousands(whole)
		}
	}
	return string(record.JSON(v))
}

// WriteJSON writes m as one indented JSON object.
func (m Metrics) WriteJSON(w io.Writer) error {
	stores, differ := []object{}, []string{}
	for _, o := range m.places() {
		stores = append(stores, object{
			{"store", o.Store}, {"place", orNull(o.Place)}, {"app_reads", o.Apps.Has(m.App)}, {"counters", fieldsJSON(o.Fields)},
			{"unreadable", orEmpty(o.Unreadable)}, {"fault", orNull(o.Fault)},
		})
	}
	for _, name := range m.names() {
		if m.differs(name) {
			differ = append(differ, name)
		}
	}
	o := append(m.begin(invocation.MetricsShow), object{
		{"counters", fieldsJSON(m.Fields)}, {"from", orNull(m.From.Store)}, {"stores", stores}, {"differing", differ},
	}...)
	return WriteJSON(w, append(o, m.end()...))
}

// Flush is what metrics flush tells.
type Flush struct {
	Layer
	URL      string        // redacted
	Instance string        // whose counters they are
	Every    time.Duration // zero for once
	DryRun   bool

	Scrapes int64                 // that were flushed to every store
	Failed  int64                 // that were not
	Stores  []persistence.Flushed // from before the first flush to after the last one
	Refused map[string]string     // counters that cannot be used, and why, as of the last scrape
	Missing []string              // counters that are not there, as of the last scrape
}

// Text returns f for people. It ends with a newline.
func (f Flush) Text(l ui.Style) string {
	t := newBuilder(l)
	switch {
	case f.DryRun:
		t.Wrap("", "Dry run: nothing was written. This is what a flush of "+f.URL+" would do.")
	case f.Every > 0:
		text := ui.Plural(f.Scrapes, "flush") + " of " + f.URL + "."
		if f.Failed > 0 {
			text += " " + ui.Plural(f.Failed, "attempt") + " failed; what was counted then came with a later one, as far as it was scraped."
		}
		t.Wrap("", text)
		if f.Err != nil {
			t.Wrap("", t.Paint(ui.Yellow, "The last attempt failed: ")+f.Err.Error())
		}
	default:
		t.Wrap("", "Flushed "+f.URL+".")
	}
	if len(f.Stores) > 0 {
		t.Line("")
		t.flushed(f.Stores)
	}
	if len(f.Missing) > 0 {
		t.Line("")
		t.Wrap("Not there: ", ui.ShownText(strings.Join(f.Missing, ", ")))
	}
	t.warnings(f.Warnings)
	return t.String()
}

// flushed writes what became of the counters, by store.
func (t *builder) flushed(stores []persistence.Flushed) {
	table := ui.Table{Head: []string{"counter", "store", "before", "after"}}
	names := make(map[string]bool)
	for _, s := range stores {
		for name := range s.After {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		shown := ui.ShownName(name)
		for _, s := range stores {
			if after, ok := s.After[name]; ok {
				table.Rows = append(table.Rows, []string{shown, s.Store, counterText(s.Before[name]), counterText(after)})
				shown = ""
			}
		}
	}
	t.Table(table)
}

// WriteJSON writes f as one indented JSON object.
func (f Flush) WriteJSON(w io.Writer) error {
	stores := []object{}
	for _, s := range f.Stores {
		stores = append(stores, object{{"store", s.Store}, {"before", fieldsJSON(s.Before)}, {"after", fieldsJSON(s.After)}})
	}
	o := append(f.begin(invocation.MetricsFlush), object{
		{"url", f.URL}, {"instance", f.Instance}, {"every_ms", f.Every.Milliseconds()}, {"dry_run", f.DryRun},
		{"flushes", f.Scrapes}, {"failed", f.Failed}, {"stores", stores},
		{"refused", orEmpty(f.Refused)}, {"missing", append([]string{}, f.Missing...)},
	}...)
	return WriteJSON(w, append(o, f.end()...))
}
