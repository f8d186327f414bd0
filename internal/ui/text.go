package ui

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"
)

// Text is a text in the making.
type Text struct {
	Style
	strings.Builder
}

// Line writes a line.
func (t *Text) Line(format string, args ...any) {
	fmt.Fprintf(t, format+"\n", args...)
}

// Row writes a line with a name before it; a row without a name belongs to the one above.
func (t *Text) Row(name, text string) {
	t.Wrap(t.Paint(Bold, fmt.Sprintf("%-8s", name)), text)
}

// Table is rows of cells below a head.
type Table struct {
	Head []string
	Rows [][]string

	// Sums tells that all columns but the first are numbers, and that the last row is their sum, with nothing where
	// they do not add up.
	Sums bool

	// Folds tells that each row goes on in a second line where the table is too wide.
	Folds bool

	// Colours are those of numbers other than zero, by column.
	Colours map[string]string
}

// Table writes a table.
func (t *Text) Table(table Table) {
	width := make([]int, len(table.Head))
	for _, row := range append(table.Rows, table.Head) {
		for i, cell := range row {
			width[i] = max(width[i], Columns(cell))
		}
	}
	first, indent := len(width), "    "
	if table.Folds {
		first = t.fitting(width)
	}
	if first < len(width) && width[0]+4+total(width[first:]) <= t.Width {
		indent = strings.Repeat(" ", width[0]+4)
	}
	line := func(row []string, painted bool) string {
		cells := make([]string, len(row))
		for i, cell := range row {
			space := strings.Repeat(" ", width[i]-Columns(cell))
			switch colour := table.Colours[table.Head[i]]; {
			case !table.Sums || i == 0:
				cells[i] = cell + space
			case painted && colour != "" && cell != "" && cell != "0":
				cells[i] = t.Paint(colour, space+cell)
			default:
				cells[i] = space + cell
			}
		}
		text := strings.TrimRight(strings.Join(cells, "  "), " ")
		if first == len(cells) {
			return text
		}
		text = strings.TrimRight(strings.Join(cells[:first], "  "), " ")
		if further := strings.TrimRight(strings.Join(cells[first:], "  "), " "); further != "" {
			text = strings.TrimPrefix(text+"\n", "\n") + indent + further
		}
		return text
	}
	t.Line("%s", t.Paint(Bold, line(table.Head, false)))
	for i, row := range table.Rows {
		if table.Sums && i == len(table.Rows)-1 {
			t.Line("%s", strings.Repeat("-", total(width)))
		}
		t.Line("%s", line(row, true))
	}
}

// total returns how wide columns are together.
func total(width []int) int {
	all := 2 * (len(width) - 1)
	for _, n := range width {
		all += n
	}
	return all
}

// fitting returns how many columns of a table stand in the first line of a row.
func (t *Text) fitting(width []int) int {
	n := len(width)
	for t.Width > 0 && n > 1 && total(width[:n]) > t.Width {
		n--
	}
	return n
}

// NumberRow returns a row of a table: a name, and numbers.
func NumberRow(name string, list ...int64) []string {
	row := []string{name}
	for _, n := range list {
		row = append(row, Thousands(n))
	}
	return row
}

// Item is a line of a list: how many, of what, and what that means.
type Item struct {
	N    int64
	Name string
	Text string
}

// ItemsOf returns the counts that are not zero, the largest first.
func ItemsOf[K ~string](counts map[K]int64, texts map[K]string) []Item {
	var list []Item
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		if counts[k] > 0 {
			list = append(list, Item{counts[k], string(k), texts[k]})
		}
	}
	slices.SortStableFunc(list, func(a, b Item) int { return cmp.Compare(b.N, a.N) })
	return list
}

// List writes a list below its heading, nothing for an empty one.
func (t *Text) List(heading string, list []Item) {
	if len(list) == 0 {
		return
	}
	t.Line("")
	t.Line("%s", t.Paint(Bold, heading))
	t.Items(list)
}

// Items writes the lines of a list.
func (t *Text) Items(list []Item) {
	number, name := 0, 0
	for _, item := range list {
		number = max(number, len(Thousands(item.N)))
		name = max(name, len(item.Name))
	}
	for _, item := range list {
		t.Wrap(fmt.Sprintf("  %*s  %-*s  ", number, Thousands(item.N), name, item.Name), item.Text)
	}
}

// Wrap writes text after head, broken between words at the width; further lines are indented below the text.
func (t *Text) Wrap(head, text string) { t.fill(head, strings.Repeat(" ", Columns(head)), text) }

// fill writes text after head, broken between words at the width, and with indent before further lines.
func (t *Text) fill(head, indent, text string) {
	line, used := head, Columns(head)
	empty := true
	for _, piece := range pieces(text) {
		n := Columns(piece)
		if !empty && t.Width > 0 && used+1+n > t.Width {
			t.Line("%s", strings.TrimRight(line, " "))
			line, used, empty = indent, len(indent), true
		}
		if !empty {
			line, used = line+" ", used+1
		}
		line, used, empty = line+piece, used+n, false
	}
	t.Line("%s", strings.TrimRight(line, " "))
}

// colourCode matches what [Style.Paint] adds.
var colourCode = regexp.MustCompile("\x1b\\[[0-9]+m")

// terminal counts columns as terminals do outside East Asian locales, whatever the variables say: a report has the same
// form everywhere.
var terminal = &runewidth.Condition{}

// Columns returns how many columns of a terminal s takes.
func Columns(s string) int { return terminal.StringWidth(colourCode.ReplaceAllString(s, "")) }
