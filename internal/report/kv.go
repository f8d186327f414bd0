package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"

	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/persistence"
	"github.com/lanyardctl/lanyardctl/record"
)

// KVList are the key-value pairs of a user, as the app reads them.
type KVList struct {
	Layer
	User record.UserID
	persistence.Answer
}

// Text returns l for people.
func (l KVList) Text(look ui.Style) string {
	t := newBuilder(look)
	if !l.Found {
		t.Line("User %s has no key-value pairs.", l.User)
		t.warnings(l.Warnings)
		return t.String()
	}
	t.Line("%s of user %s, from %s %s.", ui.Plural(int64(len(l.Fields)), "pair"), l.User, l.From.Store, ui.ShownWord(l.From.Place))
	t.Line("")
	table := ui.Table{Head: []string{"field", "type", "value"}, Folds: true}
	for _, name := range slices.Sorted(maps.Keys(l.Fields)) {
		table.Rows = append(table.Rows, []string{ui.ShownName(name), typeName(l.Fields[name]), shownValue(l.Fields[name])})
	}
	t.Table(table)
	t.warnings(l.Warnings)
	return t.String()
}

// WriteJSON writes l as one JSON object, in which no value is cut.
func (l KVList) WriteJSON(w io.Writer) error {
	o := append(l.begin(invocation.KVList), object{
		{"user_id", l.User.String()}, {"store", orNull(l.From.Store)}, {"place", orNull(l.From.Place)}, {"kv", fieldsJSON(l.Fields)},
	}...)
	return writeWhole(w, append(o, l.end()...))
}

// writeWhole is [WriteJSON] for what scripts need as it is: no string is cut.
func writeWhole(w io.Writer, v any) error {
	text, err := plainJSON(v)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, ui.EscapeJSON(text), "", "  "); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err = w.Write(b.Bytes())
	return err
}

// typeName returns what JSON calls the type of a value.
func typeName(v record.Value) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case int64, float64:
		return "number"
	case string:
		return "string"
	case record.Array:
		return "array"
	case record.Object:
		return "object"
	}
	return "BSON"
}

// shownValue returns a value for people, on one line.
func shownValue(v record.Value) string {
	if text, ok := v.(string); ok {
		return ui.Quoted(text, longestValue)
	}
	if text := []rune(ui.PrintableLine(string(valueJSON(v)))); len(text) > longestValue {
		return string(text[:longestValue]) + "…"
	}
	return ui.PrintableLine(string(valueJSON(v)))
}

// KVField is a single key-value pair of a user.
type KVField struct {
	Layer
	User  record.UserID
	Field string
	Value record.Value
	From  persistence.Origin
}

// Raw returns the value as it is: a text as its bytes, anything else as JSON.
func (f KVField) Raw() []byte {
	if text, ok := f.Value.(string); ok {
		return []byte(text)
	}
	return valueJSON(f.Value)
}

// Text returns the value fit for a terminal.
func (f KVField) Text(ui.Style) string { return ui.Printable(string(f.Raw())) + "\n" }

// WriteJSON writes f as one JSON object, in which the value is not cut.
func (f KVField) WriteJSON(w io.Writer) error {
	o := append(f.begin(invocation.KVGet), object{
		{"user_id", f.User.String()}, {"field", f.Field}, {"value", valueJSON(f.Value)}, {"store", orNull(f.From.Store)}, {"place", orNull(f.From.Place)},
	}...)
	return writeWhole(w, append(o, f.end()...))
}

// WriteKVExport writes key-value pairs as one JSON object that gives the same pairs again. Lossy are the fields of which that
// is not so, since JSON has no counterpart of what they hold.
func WriteKVExport(w io.Writer, fields map[string]record.Value) (lossy []string, err error) {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if _, exact := record.ExactJSON(fields[name]); !exact {
			lossy = append(lossy, name)
		}
	}
	return lossy, writeWhole(w, fieldsJSON(fields))
}

// KVWrite is what became of a user's pairs that were to be changed.
type KVWrite struct {
	Layer
	Command string // "kv set"
	User    record.UserID
	persistence.KVResult
	DryRun bool
}

// Text returns k for people.
func (k KVWrite) Text(look ui.Style) string {
	t := newBuilder(look)
	changed := differing(k.Before, k.After)
	switch {
	case len(k.Changed) == 0 && k.DryRun:
		t.Line("Dry run: nothing would change for user %s.", k.User)
	case len(k.Changed) == 0:
		t.Line("Nothing had to change for user %s.", k.User)
	case k.DryRun:
		t.Line("Dry run: nothing was written. This is what would change for user %s.", k.User)
	default:
		t.Line("%s", t.Paint(ui.Green, "Changed the key-value pairs of user "+k.User.String()+"."))
	}
	if len(changed) > 0 {
		t.Line("")
		table := ui.Table{Head: []string{"field", "before", "after"}, Folds: true}
		for _, name := range changed {
			table.Rows = append(table.Rows, []string{ui.ShownName(name), side(k.Before, name), side(k.After, name)})
		}
		t.Table(table)
	}
	if len(k.Changed) > 0 {
		t.Line("")
		where := "Where:"
		if len(changed) == 0 {
			where = "Lanyard reads the same pairs as before; these places change:"
		}
		t.Line("%s", where)
		for _, o := range k.Changed {
			t.Line("  %-7s  %s", o.Store, ui.ShownWord(o.Place))
		}
	}
	if k.Published {
		t.Line("")
		t.Wrap("", heard(k.Listeners))
	}
	t.warnings(k.Warnings)
	if k.DryRun && len(k.Changed) > 0 {
		t.Line("")
		const why = "Next: change it, with the same command without --dry-run"
		if again := k.Again.Without("dry-run"); len(again.String()) <= longestCommand {
			t.command(why+":", again)
		} else {
			t.Line("%s.", why)
		}
	}
	return t.String()
}

// longestCommand is how many bytes of a command are shown to be typed: what stands in it may be long, and anybody's.
const longestCommand = 1000

// heard says who got the message to running Lanyards.
func heard(listeners int64) string {
	if listeners == 0 {
		return "The message to running Lanyards was published, and none listened: no Lanyard is running on this Redis."
	}
	return "The message to running Lanyards was published, and reached " + ui.Plural(listeners, "listener") + "."
}

// side returns a field's value on one side, for people.
func side(fields map[string]record.Value, name string) string {
	v, there := fields[name]
	if !there {
		return "-"
	}
	return shownValue(v)
}

// WriteJSON writes k as one JSON object.
func (k KVWrite) WriteJSON(w io.Writer) error {
	o := append(k.begin(k.Command), object{
		{"user_id", k.User.String()}, {"dry_run", k.DryRun}, {"before", fieldsJSON(k.Before)}, {"after", fieldsJSON(k.After)},
		{"changed", placesJSON(k.Changed)},
		{"published", k.Published}, {"listeners", k.Listeners}, {"publish_error", orNull(errorText(k.PublishErr))},
	}...)
	var partial *persistence.PartialError
	if errors.As(k.Err, &partial) {
		o = append(o, member{"hold_new", append([]string{}, partial.New...)}, member{"hold_old", append([]string{}, partial.Old...)})
	}
	return writeWhole(w, append(o, k.end()...))
}

// placesJSON returns where entries stand.
func placesJSON(list []persistence.Origin) []object {
	out := []object{}
	for _, o := range list {
		out = append(out, object{{"store", o.Store}, {"place", o.Place}})
	}
	return out
}

// LayerFailure is what scripts get of a command about pairs, or about API keys, that ended before there was anything to report.
type LayerFailure struct {
	Layer
	Command string
	User    record.UserID // zero where the command is about none
}

// Text implements [Report].
func (LayerFailure) Text(ui.Style) string { return "" }

// WriteJSON writes f as one JSON object.
func (f LayerFailure) WriteJSON(w io.Writer) error {
	o := f.begin(f.Command)
	if f.User != 0 {
		o = append(o, member{"user_id", f.User.String()})
	}
	return WriteJSON(w, append(o, f.end()...))
}
