package report

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/lanyardctl/lanyardctl/internal/ui"
)

// WriteMarkdown writes v as Markdown, fit for the summary of a CI step.
func (v Verification) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	text, _ := v.verdict()
	line("## lanyardctl %s", v.Direction.Verify())
	line("")
	line("**%s**", mdText(text))
	line("")
	line("From %s to %s.", v.mdPlace(v.Source, v.Direction.FromMongo()), v.mdPlace(v.Target, v.Direction.IntoMongo())+v.mdLayout())
	line("")
	if v.nothing() {
		line("%s", nothingCompared)
	} else {
		mdTable(&b, v.head(), v.rows())
	}
	if v.Report.CountsOnly {
		line("")
		line("%s", v.countsOnlyRemark())
	}
	v.mdDifferences(&b)
	mdCounts(&b, "Notes", "note", v.notes())
	mdCounts(&b, "Rejected, and so not expected in the target", "reason", ui.ItemsOf(v.Report.Reasons, reasonsIn(v.Direction)))
	if len(v.Warnings) > 0 {
		line("")
		line("### Warnings")
		line("")
		for _, warning := range v.Warnings {
			line("- %s", mdText(warning))
		}
	}
	line("")
	line("Took %s%s. %s", ui.Duration(v.Report.Duration), v.howRead(), v.clock())
	_, err := io.WriteString(w, b.String())
	return err
}

// mdPlace returns where one side is, with the database where that is MongoDB's.
func (v Verification) mdPlace(uri string, mongo bool) string {
	if !mongo {
		return mdCode(uri)
	}
	return mdCode(uri) + ", database " + mdCode(v.Database)
}

// mdLayout returns the layout of the target, where it has one.
func (v Verification) mdLayout() string {
	if v.Layout == "" {
		return ""
	}
	return ", layout " + mdCode(v.Layout)
}

func (v Verification) mdDifferences(b *strings.Builder) {
	if v.Report.Total == 0 || v.Report.CountsOnly {
		return
	}
	fmt.Fprint(b, "\n### Differences\n\n")
	if len(v.Report.Differences) == 0 {
		fmt.Fprintf(b, "%s, not listed (`--max-differences`).\n", ui.Plural(v.Report.Total, "difference"))
		return
	}
	owner := "user"
	if v.Direction.OfTables() {
		owner = "item"
	}
	fmt.Fprintf(b, "| type | kind | %s | field |\n|---|---|---|---|\n", owner)
	for _, d := range v.Report.Differences {
		field := mdText(v.where(d))
		if d.HasField {
			field = mdCode(v.where(d))
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", d.Type, d.Kind, mdCode(whose(d)), field)
	}
	if more := v.unlisted(); more > 0 {
		fmt.Fprintf(b, "\n… and %s more (`--max-differences`).\n", ui.Thousands(more))
	}
}

// mdTable writes a table of a text and numbers, whose last row is the sum.
func mdTable(b *strings.Builder, head []string, rows [][]string) {
	fmt.Fprintf(b, "| %s |\n|---|%s\n", strings.Join(head, " | "), strings.Repeat("---:|", len(head)-1))
	for i, row := range rows {
		cells := row
		if i == len(rows)-1 {
			cells = nil
			for _, cell := range row {
				cells = append(cells, "**"+cell+"**")
			}
		}
		fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
	}
}

func mdCounts(b *strings.Builder, heading, column string, list []ui.Item) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(b, "\n### %s\n\n| %s | number | meaning |\n|---|---:|---|\n", heading, column)
	for _, c := range list {
		fmt.Fprintf(b, "| %s | %s | %s |\n", mdText(c.Name), ui.Thousands(c.N), mdText(c.Text))
	}
}

// mdPlain are the characters that mean nothing to Markdown, HTML or GitHub inside a line.
const mdPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ,.;()=?%'-/"

// mdText returns text that Markdown shows as it is, on one line. All that may mean something becomes a reference to the
// character.
func mdText(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			b.WriteByte(' ')
		case r < 0x80 && !strings.ContainsRune(mdPlain, r):
			fmt.Fprintf(&b, "&#%d;", r)
		case !unicode.IsPrint(r):
			b.WriteRune(unicode.ReplacementChar)
		default:
			b.WriteRune(r)
		}
	}
	return strings.ReplaceAll(b.String(), "&#58; ", ": ") // a colon before a space means nothing either
}

// mdCode returns text as code. Inside the tag no character reference is left to be read as anything else.
func mdCode(text string) string {
	if strings.Trim(text, mdPlain+"_:@") == "" && text != "" {
		return "`" + text + "`"
	}
	return "<code>" + mdText(text) + "</code>"
}
