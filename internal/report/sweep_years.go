package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lanyardctl/lanyardctl/internal/ui"
)

// widestBar is how many columns a bar takes at most.
const widestBar = 50

// years draws how many users have a date of each year, before and after: two bars a year.
func (t *builder) years(before, after map[int]int64) {
	var years []int
	var most int64
	for _, counts := range []map[int]int64{before, after} {
		for year, n := range counts {
			if n > 0 {
				years, most = append(years, year), max(most, n)
			}
		}
	}
	if most == 0 {
		return
	}
	slices.Sort(years)
	number := len(ui.Thousands(most))
	// "  2022  before  1,234  " stands before the bar.
	width := widestBar
	if t.Width > 0 {
		width = max(min(t.Width-number-18, widestBar), 4)
	}
	line := func(year, when string, n int64, colour string) {
		head := fmt.Sprintf("  %4s  %-6s  %*s  ", year, when, number, ui.Thousands(n))
		t.Line("%s", strings.TrimRight(head+t.Paint(colour, t.bar(n, most, width)), " "))
	}
	t.Line("")
	t.Line("%s", t.Paint(ui.Bold, "Users by the year of their date in monitoring:"))
	for _, year := range slices.Compact(years) {
		line(fmt.Sprint(year), "before", before[year], ui.Yellow)
		line("", "after", after[year], ui.Green)
	}
}

// eighths are block elements of one to eight eighths of a column.
const eighths = "▏▎▍▌▋▊▉█"

// bar returns a bar of at most width columns for n of most. What is not zero has at least the smallest mark.
func (t *builder) bar(n, most int64, width int) string {
	if n == 0 {
		return ""
	}
	share := float64(n) / float64(most) * float64(width)
	if !t.Blocks {
		return strings.Repeat("#", max(int(share+0.5), 1))
	}
	units := max(int(share*8+0.5), 1)
	marks := []rune(eighths)
	text := strings.Repeat(string(marks[7]), units/8)
	if rest := units % 8; rest > 0 {
		text += string(marks[rest-1])
	}
	return text
}
