package layout

import (
	"cmp"
	"slices"
	"unicode/utf8"

	"github.com/lanyardctl/lanyardctl/record"
)

// KV makes one record of a user's key-value pairs in the fork's and in upstream's layout. Where both have a field, the
// preferred layout (ForkKV or UpstreamKV) wins, unless its value is rejected and the other's is good; a good value that
// loses and means something else is superseded. It reports false where neither key exists.
func KV(user record.UserID, fork, upstream Found, prefer Layout) (record.Item, bool) {
	if !fork.Exists() && !upstream.Exists() {
		return record.Item{}, false
	}
	d := kvDecoding{user: user, it: record.Item{Kind: record.KV}}
	first, second := fork, upstream
	if prefer == UpstreamKV {
		first, second = upstream, fork
	}
	for _, f := range []Found{first, second} {
		if reject, ok := f.unusable(record.KV, user); ok {
			d.it.Rejects = append(d.it.Rejects, reject)
		}
	}
	d.fields = make(map[string]record.Field, max(len(first.Hash), len(second.Hash)))
	d.add(first)
	d.add(second)
	if len(d.fields) > 0 {
		d.it.Record = &record.Record{Kind: record.KV, User: user, Fields: d.fields}
	}
	if fork.State == Present && upstream.State == Present {
		d.it.Notes = append(d.it.Notes, record.BothLayouts)
	}
	d.it.Notes = expiring(d.it.Notes, fork, upstream)
	d.sort()
	return d.it, true
}

// kvDecoding is an item in the making.
type kvDecoding struct {
	user   record.UserID
	it     record.Item
	fields map[string]record.Field
}

// add takes over what f has; what is there already wins.
func (d *kvDecoding) add(f Found) {
	for name, raw := range f.Hash {
		origin := record.Origin{Key: f.Key, Raw: raw}
		v, note, reason, detail := kvValue(f.Layout, name, raw)
		if reason != "" {
			reject := record.Reject{Kind: record.KV, User: d.user, Reason: reason, Detail: detail}
			d.it.Rejects = append(d.it.Rejects, reject.At(name, origin))
			continue
		}
		won, taken := d.fields[name]
		switch {
		case !taken:
			d.fields[name] = record.Field{Value: v, Origin: origin}
			if note != "" {
				d.it.Notes = append(d.it.Notes, note)
			}
		case !record.Equal(won.Value, v):
			d.it.Superseded = append(d.it.Superseded, record.Superseded{
				Key: f.Key, Kind: record.KV, User: d.user, Field: name, HasField: true,
				Detail: "the user's other key-value layout has another value", Value: record.Raw(raw),
			})
			d.it.Notes = append(d.it.Notes, record.SupersededNote)
		}
	}
}

// sort gives what came out of maps an order that does not change from run to run.
func (d *kvDecoding) sort() {
	slices.SortFunc(d.it.Rejects, compareRejects)
	slices.SortFunc(d.it.Superseded, func(a, b record.Superseded) int {
		return compareRejects(record.Reject(a), record.Reject(b))
	})
	slices.Sort(d.it.Notes)
}

func compareRejects(a, b record.Reject) int {
	return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Field, b.Field))
}

func kvValue(l Layout, name, raw string) (v record.Value, note record.Note, reason record.Reason, detail string) {
	if !utf8.ValidString(name) {
		return nil, "", record.InvalidFieldName, "the name is not valid UTF-8"
	}
	if l == ForkKV {
		return ForkValue(raw)
	}
	if !utf8.ValidString(raw) {
		return nil, "", record.InvalidUTF8, "the value is not valid UTF-8"
	}
	return raw, "", "", ""
}

// ForkValue decodes a value of the fork's key-value layout. JSON becomes the value of the same meaning; text that is
// not JSON, or that holds half of a surrogate pair, stays the text it is, with a note. The reason is empty where the
// value is good.
func ForkValue(raw string) (v record.Value, note record.Note, reason record.Reason, detail string) {
	if !utf8.ValidString(raw) {
		return nil, "", record.InvalidUTF8, "the value is not valid UTF-8"
	}
	if text, ok := plainString(raw); ok {
		return text, "", "", ""
	}
	v, fault := parseJSON(raw)
	switch fault {
	case notJSON:
		return raw, record.NotJSON, "", ""
	case tooDeep:
		return nil, "", record.TooDeep, "nested deeper than 100"
	case outOfRange:
		return nil, "", record.NumberOutOfRange, "holds an integer beyond 64 bits or a number beyond a double"
	}
	return v, "", "", ""
}

// plainString returns the text of a JSON string without escapes, which is what nearly all values are.
func plainString(raw string) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' || raw[len(raw)-1] != '"' {
		return "", false
	}
	text := raw[1 : len(raw)-1]
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' {
			return "", false
		}
	}
	return text, true
}
