package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/record"
)

// TableSource is a source of the [TestedTables] under test, with what a test needs besides.
type TableSource struct {
	// Put writes new items into the tables, which exist and are empty before the first call.
	Put func([]record.Record)

	// Source returns a source of all that the tables hold.
	Source func() record.Source

	// Limits are those of what Put writes to.
	Limits record.Limits
}

// RunTableSource runs the laws of a source of tables: what was put is delivered once each, exactly; any part can be read on
// from any of its positions; and the total is that of the items, where the source knows it.
func RunTableSource(t *testing.T, open func(t testing.TB) TableSource) {
	t.Run("empty tables deliver nothing", func(t *testing.T) { checkDelivered(t, open(t), nil) })
	t.Run("random items", func(t *testing.T) {
		rapid.Check(t, func(rt *rapid.T) {
			s := open(t)
			items := rapid.SliceOfNDistinct(genItems(TestedTables.List()...).Filter(heldBy(s.Limits)), 1, 12, itemText).Draw(rt, "items")
			s.Put(items)
			checkDelivered(rt, s, items)
		})
	})
	t.Run("several pages", func(t *testing.T) {
		s := open(t)
		const many, long = 2100, 1000 // items, and bytes of one: more than a page of any store holds
		var items []record.Record
		for i := range many {
			attributes := values{"discord_server_id": int64(i % 7), "rem_key": fmt.Sprintf("%05d", i), "rem_value": strings.Repeat("x", long)}
			items = append(items, Item(record.Remember, attributes))
		}
		s.Put(items)
		positions := checkDelivered(t, s, items)
		t.Logf("%d positions", positions)
	})
}

// itemText returns what tells an item apart.
func itemText(r record.Record) string { return fmt.Sprintf("%s/%s", r.Kind, r.Name) }

// exactText returns all that an item says, and in which types.
func exactText(r record.Record) string {
	text := itemText(r)
	for _, name := range r.FieldNames() {
		text += fmt.Sprintf(" %q=%#v", name, r.Fields[name].Value)
	}
	return text
}

// checkDelivered compares what a source delivers with the items, also behind each of its positions, and returns how many there
// are.
func checkDelivered(t failer, s TableSource, items []record.Record) (positions int) {
	t.Helper()
	ctx := context.Background()
	source := s.Source()
	want := make(map[string]string, len(items))
	for _, r := range items {
		want[itemText(r)] = exactText(r)
	}
	parts, err := source.Parts(ctx)
	if err != nil {
		t.Fatalf("parts: %v", err)
	}
	got, names := make(map[string]string), make(map[string]bool)
	for _, part := range parts {
		if names[part.Name()] {
			t.Errorf("two parts are named %q", part.Name())
		}
		names[part.Name()] = true
		pages, err := pagesOf(part, "")
		if err != nil {
			t.Fatalf("read %s: %v", part.Name(), err)
		}
		for _, r := range recordsOf(t, pages) {
			if _, twice := got[itemText(r)]; twice {
				t.Errorf("%s is delivered twice", itemText(r))
			}
			got[itemText(r)] = exactText(r)
		}
		for i, page := range pages {
			if page.Next == "" {
				continue
			}
			positions++
			rest, err := pagesOf(part, page.Next)
			if err != nil {
				t.Fatalf("read %s from %q: %v", part.Name(), page.Next, err)
			}
			if left, behind := recordsOf(t, rest), recordsOf(t, pages[i+1:]); fmt.Sprint(texts(left)) != fmt.Sprint(texts(behind)) {
				t.Errorf("%s delivers %d items from %q, and %d are behind it", part.Name(), len(left), page.Next, len(behind))
			}
		}
		first := errors.New("the first page is enough")
		err = part.Read(ctx, "", func(record.Page) error { return first }) // which comes back as it is
		if len(pages) > 0 && err != first {
			t.Errorf("%s returns %v in place of what its reader returned", part.Name(), err)
		}
	}
	if err := source.Deferred(ctx, func(page record.Page) error { recordsOf(t, []record.Page{page}); return nil }); err != nil {
		t.Errorf("what follows the parts: %v", err)
	}
	for text, exact := range want {
		if got[text] != exact {
			t.Errorf("%s was put, and delivered is %q", exact, got[text])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d items were put, and %d are delivered", len(want), len(got))
	}
	if total, err := source.Total(ctx); err != nil || total != 0 && total != int64(len(items)) {
		t.Errorf("%d items are %d in total: %v", len(items), total, err)
	}
	if source.Identity() == "" || source.Identity() != s.Source().Identity() {
		t.Errorf("the same data are %q and %q", source.Identity(), s.Source().Identity())
	}
	return positions
}

func pagesOf(part record.Part, from string) (pages []record.Page, err error) {
	err = part.Read(context.Background(), from, func(page record.Page) error {
		pages = append(pages, page)
		return nil
	})
	return pages, err
}

// recordsOf returns the items of pages, none of which may be rejected, and checks what goes with each.
func recordsOf(t failer, pages []record.Page) (records []record.Record) {
	t.Helper()
	for _, page := range pages {
		for _, it := range page.Items {
			if it.Record == nil || len(it.Rejects)+len(it.Superseded) > 0 || it.Kind != it.Record.Kind || it.Record.User != 0 {
				t.Errorf("not a plain item: %+v", it)
				continue
			}
			for name, f := range it.Record.Fields {
				if !strings.HasSuffix(f.Origin.Key, "/"+it.Record.Name.String()) || f.Origin.Raw == "" {
					t.Errorf("%q of %s comes from %+v", name, itemText(*it.Record), f.Origin)
				}
			}
			records = append(records, *it.Record)
		}
		if page.Seen.Lanyard > page.Seen.Keys || page.Seen.Keys < int64(len(page.Items)) {
			t.Errorf("%d items among %+v", len(page.Items), page.Seen)
		}
	}
	return records
}

func texts(records []record.Record) (all []string) {
	for _, r := range records {
		all = append(all, exactText(r))
	}
	return all
}
