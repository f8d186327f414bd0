package layout

import (
	"fmt"
	"strconv"

	"github.com/lanyardctl/lanyardctl/record"
)

// Layouts is a set of layouts. The zero value is empty.
type Layouts uint32

// Has reports whether l is in the set.
func (s Layouts) Has(l Layout) bool { return s&(1<<l) != 0 }

// With returns the set and l.
func (s Layouts) With(l Layout) Layouts { return s | 1<<l }

// LayoutsOf returns the layouts that the apps read.
func LayoutsOf(apps record.Apps) Layouts {
	var set Layouts
	for l := range Layout(len(prefixes)) {
		if l.Apps()&apps != 0 {
			set = set.With(l)
		}
	}
	return set
}

// Written returns those of the layouts in which the apps write the kind, the fork's first; the others are older ones, which
// they only read. It is empty where they keep none of it in Redis. Of API keys it is [UserAPIKey], beside which there is
// [APIKey].
func (s Layouts) Written(kind record.Kind) []Layout {
	var list []Layout
	for _, l := range OfKind(kind) {
		if s.Has(l) && !l.IsOlder() {
			list = append(list, l)
		}
	}
	return list
}

// Kinds returns the kinds that the layouts hold.
func (s Layouts) Kinds() record.Kinds {
	var kinds record.Kinds
	for _, kind := range record.LanyardKinds.List() {
		if len(s.Written(kind)) > 0 {
			kinds = kinds.With(kind)
		}
	}
	return kinds
}

// KindsOf returns the kinds that the apps keep in Redis.
func KindsOf(apps record.Apps) record.Kinds { return LayoutsOf(apps).Kinds() }

// Limits returns what a target can hold that keeps records in these layouts. AsJSON tells that the JSON text of a value is
// written where texts alone are held.
func (s Layouts) Limits(asJSON bool) record.Limits {
	return record.Limits{
		Server: "Redis", JSON: true, MaxPairs: MaxValue,
		Texts: record.TextRule{Only: s.Has(UpstreamKV), Beside: s.Has(ForkKV), AsJSON: asJSON},
	}
}

// Older returns the layouts from which the app reads what stands in no key of this one.
func (l Layout) Older() []Layout {
	if l == ForkMonitoringSince {
		return monitoringFamily[1:]
	}
	return nil
}

// AppendTime appends the text of a time, in the unit of its kind, to b.
func AppendTime(b []byte, t int64) []byte { return strconv.AppendInt(b, t, 10) }

// DocumentOptions say what a document of a target is.
type DocumentOptions struct {
	// AsJSON is as in [Layouts.Limits].
	AsJSON bool

	// Exact tells that two places which say the same and more are different, too. Otherwise what both say counts.
	Exact bool
}

// Document returns what the keys of one user and kind, or those of the counters, say to the apps as a document of a target.
// Where each of two apps has its own key, it is what both say. Keys that are not among founds are absent. It reports false
// where there is nothing. It is not for API keys.
func Document(kind record.Kind, user record.UserID, founds []Found, layouts Layouts, o DocumentOptions) (record.Document, bool) {
	d := record.Document{Kind: kind, Collection: record.CollectionOf(kind), User: user}
	var all []record.Held
	for _, l := range layouts.Written(kind) {
		f := of(founds, l, user)
		var older []Found
		for _, o := range l.Older() {
			older = append(older, of(founds, o, user))
		}
		held, fault := f.Held(older...)
		if fault != "" {
			held = record.Held{Found: true, Malformed: record.Opaque{}}
		}
		if d.ID == "" {
			d.ID = f.Key
		}
		d.Held.Found = d.Held.Found || held.Found
		all = append(all, held)
	}
	switch {
	case !d.Held.Found:
		return d, false
	case len(all) == 1:
		d.Held = all[0]
	case kind.Shape() == record.TimeShape:
		d.Held.Times = commonTimes(kind, all, o.Exact)
	default:
		d.Held.Unmodified = all[0].Unmodified && all[1].Unmodified
		d.Held.Fields = commonFields(all, layouts.Limits(o.AsJSON).Texts, o.Exact)
	}
	return d, true
}

// of returns the user's key of a layout, or that of nobody's, which is absent where it is not among founds.
func of(founds []Found, l Layout, user record.UserID) Found {
	if l.HasUser() {
		return Among(founds, l, user)
	}
	if len(founds) > 0 {
		return founds[0]
	}
	return Found{Key: l.Key(""), Layout: l}
}

// disagreement stands for what two places say differently. It equals no value that can be copied.
var disagreement = record.Opaque{Type: 0xff}

// commonFields returns the fields of the fork's hash and of upstream's, as far as they agree.
func commonFields(all []record.Held, texts record.TextRule, exact bool) map[string]record.Value {
	fork, upstream := all[0].Fields, all[1].Fields
	fields := make(map[string]record.Value, len(fork))
	for name, v := range fork {
		text, holds := texts.Text(v)
		switch theirs, exists := upstream[name]; {
		case !holds, exists && (record.Equal(theirs, text) || isJSONOf(theirs, v)):
			fields[name] = v
		case exists || exact:
			fields[name] = disagreement
		}
	}
	for name := range upstream {
		if _, exists := fork[name]; !exists && exact {
			fields[name] = disagreement
		}
	}
	return fields
}

// isJSONOf reports whether a text of upstream's is another spelling of the JSON text of v, which is none: 1000 of 1000.0.
func isJSONOf(theirs, v record.Value) bool {
	text, ok := theirs.(string)
	if _, isText := v.(string); !ok || isText {
		return false
	}
	said, _, reason, _ := ForkValue(text)
	return reason == "" && record.Equal(said, v)
}

// commonTimes returns the worse of two times, and none where one is missing.
func commonTimes(kind record.Kind, all []record.Held, exact bool) map[string]any {
	field := record.TimeField(kind)
	worst, exists := all[0].Times[field]
	for _, held := range all[1:] {
		other, has := held.Times[field]
		switch {
		case !exists || !has:
			return nil
		case other != worst && exact:
			worst = disagreement
		case record.WorseTime(kind, other, worst):
			worst = other
		}
	}
	return map[string]any{field: worst}
}

// Held returns what a target's key holds, as a document of its kind does. The older keys are those from which the app reads
// what is not in this one. The fault says for people why nothing can be merged into what stands there; it is empty where
// something can. It is not for API keys, which two keys make.
func (f Found) Held(older ...Found) (held record.Held, fault string) {
	switch f.State {
	case WrongType:
		return held, fmt.Sprintf("%s in the target holds a %s, not a %s", f.Key, f.Type, f.Layout.typeName())
	case TooLarge:
		return held, f.Key + " in the target holds more than 32 MiB"
	}
	kind, _ := f.Layout.Kind()
	switch kind.Shape() {
	case record.TimeShape:
		held.Times = timesOf(kind, f, older)
		held.Found = len(held.Times) > 0
	case record.FieldsShape:
		if held.Found = f.State == Present; held.Found {
			held.Fields = f.heldFields()
			held.Unmodified = f.Mark != "" && record.Unmodified(f.content(kind, held.Fields), f.Mark)
		}
	}
	return held, ""
}

// content returns the fields as a record of the key's user.
func (f Found) content(kind record.Kind, fields map[string]record.Value) record.Record {
	_, id := Classify(f.Key)
	user, _ := record.ParseUserID(id) // zero for the counters, which have no mark
	r := record.Record{Kind: kind, User: user, Fields: make(map[string]record.Field, len(fields))}
	for name, v := range fields {
		r.Fields[name] = record.Field{Value: v}
	}
	return r
}

// timesOf returns the times of a key and of the older ones, by the names of the fields in which documents have them.
func timesOf(kind record.Kind, f Found, older []Found) map[string]any {
	times := make(map[string]any)
	if f.State == Present {
		times[record.TimeField(kind)] = timeOf(f.Text)
	}
	for _, o := range older {
		if o.State == Present && !o.Foreign() {
			times[olderFields[o.Layout]] = timeOf(o.Text)
		}
	}
	return times
}

var olderFields = map[Layout]string{OlderMonitoringSince: record.OlderTimeField, OldestMonitoringSince: "monitoring"}

// timeOf returns the number that a text is as the apps write it, and any other text as it is.
func timeOf(text string) any {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && strconv.FormatInt(n, 10) == text {
		return n
	}
	return text
}

// heldFields returns the values of a hash. What its layout cannot read stands for itself.
func (f Found) heldFields() map[string]record.Value {
	fields := make(map[string]record.Value, len(f.Hash))
	for name, raw := range f.Hash {
		if f.Layout == Counters {
			fields[name] = numberOr(raw)
			continue
		}
		v, _, reason, _ := kvValue(f.Layout, name, raw)
		if reason != "" {
			v = record.Opaque{Data: []byte(raw)}
		}
		fields[name] = v
	}
	return fields
}

// numberOr returns the number that a counter's text is, and any other text as it is.
func numberOr(text string) record.Value {
	if n, ok := record.ParseNumber(text); ok {
		return n
	}
	return text
}
