package report

import (
	"io"

	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
)

// Remembered is what the bot remembers for a server, or what was changed of it.
type Remembered struct {
	Run
	Command string
	Server  record.Value

	Items  []record.Record // of the table [record.Remember]: what there is, and after a change what there is now
	Before *record.Record  // what was there before a change; nil for nothing
}

// rememberedOf returns the key and the value of an item.
func rememberedOf(r record.Record) (key string, value record.Value) {
	table, _ := record.Remember.Table()
	key, _ = r.Fields[table.Keys[1].Name].Value.(string)
	return key, r.Fields[record.RememberedField].Value
}

// Text returns m for people.
func (m Remembered) Text(l ui.Style) string {
	t := newBuilder(l)
	server := string(record.JSON(m.Server))
	switch m.Command {
	case invocation.RememberGet:
		for _, item := range m.Items {
			_, v := rememberedOf(item)
			text, isText := v.(string)
			if !isText {
				text = string(record.JSON(v))
			}
			t.Line("%s", ui.ShownText(text))
		}
	case invocation.RememberList:
		if len(m.Items) == 0 {
			t.Line("Nothing is remembered for server %s.", server)
			break
		}
		rows := make([][]string, len(m.Items))
		for i, item := range m.Items {
			key, v := rememberedOf(item)
			rows[i] = []string{ui.ShownName(key), shownValue(v)}
		}
		t.Table(ui.Table{Head: []string{"key", "value"}, Rows: rows, Folds: true})
	case invocation.RememberDelete:
		key, _ := rememberedOf(*m.Before)
		t.Line("%s", l.Paint(ui.Green, "Server "+server+" remembers nothing under "+ui.QuotedName(key)+" any more."))
	default:
		for _, item := range m.Items {
			key, _ := rememberedOf(item)
			what := "Server " + server + " remembers " + ui.QuotedName(key) + " now."
			if m.Before != nil {
				what = "Server " + server + " remembers " + ui.QuotedName(key) + " now, in place of what it remembered before."
			}
			t.Line("%s", l.Paint(ui.Green, what))
		}
	}
	t.warnings(m.Warnings)
	return t.String()
}

// WriteJSON writes m as one JSON object.
func (m Remembered) WriteJSON(w io.Writer) error {
	items := []object{}
	for _, item := range m.Items {
		key, v := rememberedOf(item)
		items = append(items, object{{"key", key}, {"value", valueJSON(v)}})
	}
	return m.write(w, m.Command, object{{"server", valueJSON(m.Server)}, {"items", items}})
}
