package report

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/persistence"
	"github.com/lanyardctl/lanyardctl/record"
)

// Presence is what get tells of one user.
type Presence struct {
	persistence.Presence
	App     record.App
	Explain bool // where each value comes from, and what else there is
}

// UserNotMonitored is the code by which Lanyard's API says that it knows nothing of a user.
const UserNotMonitored = "user_not_monitored"

// NotMonitored says of a user what Lanyard's API says of one of whom it knows nothing.
func NotMonitored(user record.UserID) string {
	return fmt.Sprintf("nothing is persisted of user %s that Lanyard would show", user)
}

// object returns p as Lanyard's API answers it.
func (p Presence) object() object {
	o := object{{"success", true}, {"data", p.data()}}
	if !p.Found() {
		o = failedAnswer(UserNotMonitored, NotMonitored(p.User))
	}
	return o
}

// WriteLine writes p as one line of JSON, with all that there is where it is to explain.
func (p Presence) WriteLine(w io.Writer) error {
	o := p.object()
	if p.Explain {
		o = append(o, member{"explain", p.explained()})
	}
	return writeLine(w, o)
}

// writeLine writes v as one line of JSON, in which no string is cut.
func writeLine(w io.Writer, v any) error {
	text, err := plainJSON(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(ui.EscapeJSON(text), '\n'))
	return err
}

// WriteIndented writes p for people.
func (p Presence) WriteIndented(w io.Writer) error {
	return writeWhole(w, p.object())
}

// failedAnswer is how Lanyard's API says that something did not work.
func failedAnswer(code, message string) object {
	return object{{"success", false}, {"error", object{{"code", code}, {"message", message}}}}
}

// data returns the member of this name, in the order of the API.
func (p Presence) data() object {
	kv := json.RawMessage("{}")
	if p.KV.Found {
		kv = fieldsJSON(p.KV.Fields)
	}
	seen, seenReadable := apiTime(p.LastSeen, time.UnixMilli, "2006-01-02T15:04:05.000Z")
	since, sinceReadable := apiTime(p.MonitoringSince, func(s int64) time.Time { return time.Unix(s, 0) }, "2006-01-02T15:04:05Z")
	return object{
		{"discord_user", object{{"id", p.User.String()}}},
		{"kv", kv},
		{"last_seen", seen}, {"last_seen_readable", seenReadable},
		{"monitoring_since", since}, {"monitoring_since_readable", sinceReadable},
	}
}

// apiTime returns a time as the API has it, and as it is readable; null twice where there is none.
func apiTime(a persistence.Answer, at func(int64) time.Time, raw string) (value, readable any) {
	if !a.Found {
		return nil, nil
	}
	t := at(a.Time).UTC()
	return object{{"unix", a.Time}, {"raw", t.Format(raw)}}, t.Format("January 02, 2006 03:04:05 PM")
}

// fieldsJSON returns key-value pairs as one JSON object, in the order of their names.
func fieldsJSON(fields map[string]record.Value) json.RawMessage {
	text := []byte{'{'}
	for i, name := range slices.Sorted(maps.Keys(fields)) {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(append(text, record.JSON(name)...), ':')
		text = append(text, valueJSON(fields[name])...)
	}
	return append(text, '}')
}

// valueJSON returns the value as JSON: exactly, or else as people may read it.
func valueJSON(v record.Value) json.RawMessage {
	if text, exact := record.ExactJSON(v); exact {
		return text
	}
	return record.JSON(v)
}

// Status is what an entry is beside the answer.
type Status string

// The statuses.
const (
	Answers    Status = "answers"    // it is the answer
	Same       Status = "same"       // it says the same
	Differs    Status = "differs"    // it says something else
	Unreadable Status = "unreadable" // the app cannot read it
)

// statusOf returns what the i-th of an answer's entries is.
func statusOf(a persistence.Answer, i int) Status {
	o := a.All[i]
	n, readable := o.Time.(int64)
	same := readable && n == a.Time
	if a.Kind.Shape() == record.FieldsShape {
		readable = o.Fault == "" || !o.Empty(a.Kind)
		same = record.Equal(record.Object(o.Fields), record.Object(a.Fields))
	}
	switch {
	case a.Found && i == a.Index:
		return Answers
	case !readable:
		return Unreadable
	case same && (a.Found || o.Empty(a.Kind)):
		return Same
	}
	return Differs
}

func (p Presence) answers() []persistence.Answer {
	return []persistence.Answer{p.KV, p.LastSeen, p.MonitoringSince}
}

// explained returns all entries of all values, for scripts.
func (p Presence) explained() object {
	var o object
	for _, a := range p.answers() {
		list := []object{}
		for i, e := range a.All {
			list = append(list, object{
				{"store", e.Store}, {"place", e.Place}, {"status", statusOf(a, i)}, {"app_reads", e.Apps.Has(p.App)},
				{"value", entryJSON(a.Kind, e.Entry)}, {"fault", orNull(e.Fault)}, {"unreadable", orEmpty(e.Unreadable)},
			})
		}
		o = append(o, member{a.Kind.String(), list})
	}
	return o
}

// entryJSON returns what an entry holds.
func entryJSON(kind record.Kind, e record.Entry) json.RawMessage {
	if kind.Shape() == record.FieldsShape {
		return fieldsJSON(e.Fields)
	}
	return valueJSON(record.Storable(e.Time))
}

// ExplainText returns all entries of all values, as a table for people.
func (p Presence) ExplainText(l ui.Style) string {
	t := newBuilder(l)
	table := ui.Table{Head: []string{"value", "store", "place", "is", "holds"}, Folds: true}
	for _, a := range p.answers() {
		name := a.Kind.String()
		if len(a.All) == 0 {
			table.Rows = append(table.Rows, []string{name, "-", "-", "nowhere", ""})
		}
		for i, e := range a.All {
			table.Rows = append(table.Rows, []string{name, e.Store, ui.ShownWord(e.Place), p.verdict(a, i), entryText(a, e.Entry)})
			name = ""
		}
	}
	t.Table(table)
	var faults []persistence.Origin
	for _, a := range p.answers() {
		faults = append(faults, a.Faults()...)
	}
	t.faults(faults)
	return t.String()
}

// faults tells what an app cannot read, a place at a time.
func (t *builder) faults(list []persistence.Origin) {
	last := ""
	for i, o := range list {
		if i == 0 {
			t.Line("")
		}
		if place := o.Store + " " + ui.ShownWord(o.Place); place != last {
			t.Line("%s:", place)
			last = place
		}
		t.Wrap("  ", ui.ShownText(o.Fault))
	}
}

// verdict says for people what the i-th entry of an answer is.
func (p Presence) verdict(a persistence.Answer, i int) string {
	text := string(statusOf(a, i))
	if !a.All[i].Apps.Has(p.App) {
		text += ", not read by " + p.App.String()
	}
	return text
}

// entryText says for people what an entry holds, and in which fields it differs from the answer.
func entryText(a persistence.Answer, e record.Entry) string {
	if a.Kind.Shape() == record.FieldsShape {
		if e.Fault != "" && len(e.Fields) == 0 {
			return ""
		}
		text := ui.Plural(int64(len(e.Fields)), "field")
		if names := differing(a.Fields, e.Fields); a.Found && len(names) > 0 {
			text += ", unlike the answer in " + ui.ShownWord(strings.Join(names, ", "))
		}
		return text
	}
	text := string(valueJSON(record.Storable(e.Time)))
	if n, ok := e.Time.(int64); ok {
		at := time.UnixMilli(n)
		if a.Kind == record.MonitoringSince {
			at = time.Unix(n, 0)
		}
		text += " (" + at.UTC().Format("2006-01-02 15:04:05 MST") + ")"
	}
	return ui.ShownWord(text)
}

// differing returns the names of the fields that are not the same in both, in order.
func differing(a, b map[string]record.Value) []string {
	var list []string
	for name, v := range a {
		if other, there := b[name]; !there || !record.Equal(v, other) {
			list = append(list, name)
		}
	}
	for name := range b {
		if _, there := a[name]; !there {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// GetFailure is what scripts get of a get that ended before there was an answer.
type GetFailure struct{ Err error }

// Text implements [Report].
func (GetFailure) Text(ui.Style) string { return "" }

// WriteJSON writes f as Lanyard's API says that something did not work.
func (f GetFailure) WriteJSON(w io.Writer) error {
	return writeLine(w, failedAnswer("failed", errorText(f.Err)))
}
