package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
)

// CreatedTables is what became of tables that were to be made.
type CreatedTables struct {
	Run
	DryRun bool
	Tables []CreatedTable
}

// CreatedTable is what became of one of them.
type CreatedTable struct {
	Table                record.Table
	Existed              bool
	Billing              string // "PAY_PER_REQUEST" or "PROVISIONED"
	Recovery, Encryption string // "enabled", "on", "off", "aws-owned" (a key), "unsupported", "pending" or "unknown"
}

// pending is what a table gets as soon as it is ready.
const pending = "pending"

// Text returns c for people.
func (c CreatedTables) Text(l ui.Style) string {
	t := newBuilder(l)
	title, made := l.Paint(ui.Green, "The tables are there."), "made"
	if c.DryRun {
		made = "missing"
	}
	switch {
	case c.Err != nil:
		title = l.Paint(ui.Red, "Failed: ") + ui.Indented(c.Err.Error())
	case c.DryRun:
		title = l.Paint(ui.Green, "Dry run: nothing was made.")
	case c.isPending():
		title = l.Paint(ui.Yellow, "The tables are made, and not ready yet.")
	}
	t.Line("%s", title)
	t.Line("  in  %s", c.Target)
	if len(c.Tables) > 0 {
		t.Line("")
		table := ui.Table{Head: []string{"table", "is", "key", "recovery", "encryption"}, Folds: true}
		for _, created := range c.Tables {
			is := made
			if created.Existed {
				is = "there"
			}
			var keys []string
			for _, key := range created.Table.Keys {
				keys = append(keys, key.Name)
			}
			shown := strings.NewReplacer("unsupported", "none") // so that 80 columns are enough
			table.Rows = append(table.Rows, []string{
				created.Table.Name, is, strings.Join(keys, ", "), shown.Replace(created.Recovery), shown.Replace(created.Encryption),
			})
		}
		t.Table(table)
	}
	t.warnings(c.Warnings)
	if c.isPending() && !c.DryRun && c.Err == nil {
		t.Line("")
		t.command("Next: once the tables are ready, complete what is pending:", c.Again.Without("wait").With("wait"))
	}
	if c.DryRun && c.Err == nil {
		t.Line("")
		t.command("Next: make them, with the same command without --dry-run:", c.Again.Without("dry-run"))
	}
	return t.String()
}

func (c CreatedTables) isPending() bool {
	return slices.ContainsFunc(c.Tables, func(t CreatedTable) bool { return t.Recovery == pending })
}

// WriteJSON writes c as one JSON object.
func (c CreatedTables) WriteJSON(w io.Writer) error {
	tables := []object{}
	for _, t := range c.Tables {
		keys := []object{}
		for _, key := range t.Table.Keys {
			keys = append(keys, object{{"name", key.Name}, {"type", string(key.Type)}})
		}
		tables = append(tables, object{
			{"table", t.Table.Name}, {"existed", t.Existed}, {"key", keys}, {"billing", t.Billing},
			{"point_in_time_recovery", t.Recovery}, {"server_side_encryption", t.Encryption},
		})
	}
	return c.write(w, invocation.CreateTables, object{{"dry_run", c.DryRun}, {"tables", tables}})
}

// ForgottenTable is what lanyardctl removed of its own in a DynamoDB.
type ForgottenTable struct {
	Run
	DryRun bool
	Table  string
	Rows   int64 // that it held
}

// Text returns f for people.
func (f ForgottenTable) Text(l ui.Style) string {
	t := newBuilder(l)
	title := fmt.Sprintf("Removed the table %s, with %s. The bot's tables are as they were.", f.Table, ui.Plural(f.Rows, "item"))
	switch {
	case f.Err != nil:
		title = l.Paint(ui.Red, "Failed: ") + ui.Indented(f.Err.Error())
	case f.Rows == 0:
		title = "lanyardctl keeps nothing of its own there."
	case f.DryRun:
		title = fmt.Sprintf("Dry run: nothing was removed. It would be the table %s, with %s.", f.Table, ui.Plural(f.Rows, "item"))
	}
	t.Wrap("", title)
	t.Line("  in  %s", f.Target)
	t.warnings(f.Warnings)
	if f.DryRun && f.Rows > 0 {
		t.Line("")
		t.command("Next: remove it, with the same command without --dry-run:", f.Again.Without("dry-run"))
	}
	return t.String()
}

// WriteJSON writes f as one JSON object.
func (f ForgottenTable) WriteJSON(w io.Writer) error {
	return f.write(w, invocation.ForgetTables, object{{"dry_run", f.DryRun}, {"table", f.Table}, {"items", f.Rows}})
}

// write writes the report of a command as one JSON object.
func (f Run) write(w io.Writer, command string, told object) error {
	out := append(object{{"command", command}, {"target", f.Target}}, told...)
	return writeWhole(w, append(out, f.end()...))
}
