package migrate

import (
	"fmt"
	"slices"
	"testing"

	"github.com/lanyardctl/lanyardctl/record"
)

func apiKey(user record.UserID, key string) *record.Record {
	return &record.Record{Kind: record.APIKeys, User: user, APIKey: key}
}

// documentWith returns what is read of a document that says exactly a record.
func documentWith(r *record.Record) record.DocumentDigest {
	d := record.DocumentDigest{Kind: r.Kind, Hash: r.Identity().Hash(), Identified: true, Complete: true, Digest: r.Digest()}
	if r.APIKey != "" {
		d.Secret = record.HashOfText(r.APIKey)
	}
	return d
}

// TestWhatIsInDoubtIsLookedUp has documents read, then pages of a source delivered, and says which records of the last page
// need no batch.
func TestWhatIsInDoubtIsLookedUp(t *testing.T) {
	nobodys := documentWith(apiKey(3, "a"))
	nobodys.Identified = false
	seen := func(time int64) *record.Record { return &record.Record{Kind: record.LastSeen, User: 1, Time: time} }
	but := func(change func(*record.DocumentDigest)) []record.DocumentDigest {
		d := documentWith(seen(7))
		change(&d)
		return []record.DocumentDigest{d}
	}
	var many []record.DocumentDigest
	for n := range record.UserID(150) {
		many = append(many, documentWith(apiKey(1+n, fmt.Sprint("key ", n))))
	}
	read := func(records ...*record.Record) (documents []record.DocumentDigest) {
		for _, r := range records {
			documents = append(documents, documentWith(r))
		}
		return documents
	}
	type page = []*record.Record
	for name, c := range map[string]struct {
		documents []record.DocumentDigest
		pages     []page
		want      []bool
	}{
		"as they stand":                         {read(apiKey(1, "a"), apiKey(2, "b"), seen(7)), []page{{apiKey(2, "b"), apiKey(1, "a"), seen(7)}}, []bool{true, true, true}},
		"two documents of a user":               {read(seen(7), seen(8)), []page{{seen(7), seen(8)}}, []bool{false, false}},
		"a document that came twice":            {read(seen(7), seen(7)), []page{{seen(7)}}, []bool{false}},
		"a key in two documents":                {read(apiKey(1, "a"), apiKey(2, "a"), apiKey(3, "c")), []page{{apiKey(1, "a"), apiKey(3, "c")}}, []bool{false, false}},
		"a key in a document of nobody":         {append(read(apiKey(1, "a")), nobodys), []page{{apiKey(1, "a")}}, []bool{false}},
		"a document of nobody":                  {[]record.DocumentDigest{nobodys}, []page{{apiKey(3, "a")}}, []bool{false}},
		"a key that passes on the same page":    {read(apiKey(1, "a"), apiKey(2, "b")), []page{{apiKey(1, "a"), apiKey(2, "a")}}, []bool{false, false}},
		"a key that passed before":              {read(apiKey(1, "a"), apiKey(2, "b")), []page{{apiKey(2, "a")}, {apiKey(1, "a"), seen(7)}}, []bool{false, false}},
		"a key that passes leaves other kinds":  {read(apiKey(1, "a"), seen(7)), []page{{apiKey(2, "a")}, {seen(7)}}, []bool{true}},
		"a record that was delivered otherwise": {read(seen(7)), []page{{seen(8)}, {seen(7)}}, []bool{false}},
		"a time that the app cannot read":       {but(func(d *record.DocumentDigest) { d.Mistyped = true }), []page{{seen(7)}}, []bool{false}},
		"a document that says more":             {but(func(d *record.DocumentDigest) { d.Complete = false }), []page{{seen(7)}}, []bool{false}},
		"a document whose user is a number":     {but(func(d *record.DocumentDigest) { d.Numeric = true }), []page{{seen(7)}}, []bool{false}},
		"more keys than there is room for":      {many, []page{{apiKey(1, "key 0")}}, []bool{false}},
	} {
		t.Run(name, func(t *testing.T) {
			var about [record.KindCount]int64
			about[record.APIKeys], about[record.LastSeen] = 500, 500
			k := newKnown(about, 4000) // 187 documents, and 125 keys
			k.add(c.documents)
			var same []bool
			for _, p := range c.pages {
				var items []record.Item
				for _, r := range p {
					items = append(items, record.Item{Kind: r.Kind, Record: r})
				}
				same = k.unchanged(items)
			}
			if !slices.Equal(same, c.want) {
				t.Errorf("%v, want %v", same, c.want)
			}
		})
	}
}

func TestBatchesThatWaitAreBoundedByBytes(t *testing.T) {
	w := newWriters(pinned(1))
	if !w.room(&batch{bytes: 2 * maxWritingBytes}) {
		t.Error("a batch has no room though there is no other")
	}
	if err := w.put(t.Context(), &batch{bytes: maxWritingBytes - 1}); err != nil {
		t.Fatal(err)
	}
	if !w.room(&batch{bytes: 1}) || w.room(&batch{bytes: 2}) {
		t.Error("the bound is elsewhere")
	}
}
