package main

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"

	"github.com/dustin/go-humanize"
)

// Measures of the plot, in pixels.
const (
	panelWidth, panelHeight = 480, 400
	marginLeft, marginRight = 64, 24
	marginTop, marginBottom = 108, 48
)

// styles are how the lines look: colour, and what sets them apart without it.
var styles = map[string]struct{ colour, dashes string }{
	lineOurs: {"#0060a8", "none"},
	lineLoad: {"#666666", "2 4"},
	lineFork: {"#c0441c", "8 4"},
}

// plot draws time against users, both logarithmic, as SVG: a panel for each target.
func (r *results) plot() string {
	var tables []*table
	for _, t := range r.Tables {
		if len(t.Lines) > 0 {
			tables = append(tables, t)
		}
	}
	var s strings.Builder
	width := panelWidth * max(len(tables), 1)
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="12" fill="#222222">`+"\n",
		width, panelHeight, width, panelHeight)
	s.WriteString("<title>Time against users</title>\n")
	fmt.Fprintf(&s, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", width, panelHeight)
	for i, t := range tables {
		p := newPanel(t.Lines)
		fmt.Fprintf(&s, `<g transform="translate(%d 0)">`+"\n", i*panelWidth)
		p.draw(&s, t)
		s.WriteString("</g>\n")
	}
	s.WriteString("</svg>\n")
	return s.String()
}

// panel turns users and seconds into positions.
type panel struct{ users, seconds axis }

// axis is logarithmic. It goes from low to high in powers of ten, of which it shows the part between the pixels.
type axis struct {
	low, high float64
	from, to  float64 // pixels
}

func newPanel(lines []line) panel {
	users, seconds := axis{low: math.Inf(1), from: marginLeft, to: panelWidth - marginRight}, axis{low: math.Inf(1), from: panelHeight - marginBottom, to: marginTop}
	for _, l := range lines {
		for _, at := range l.Points {
			users.include(float64(at.Users))
			seconds.include(at.Seconds)
		}
	}
	users.widen()
	seconds.widen()
	return panel{users, seconds}
}

func (a *axis) include(v float64) {
	if v > 0 {
		a.low, a.high = min(a.low, v), max(a.high, v)
	}
}

// widen makes the axis begin and end at 1, 2 or 5 times a power of ten.
func (a *axis) widen() {
	if a.high == 0 {
		a.low, a.high = 1, 10
	}
	steps := a.steps(a.low/10, a.high*10)
	low, high := steps[0], steps[len(steps)-1]
	for _, step := range steps {
		if step <= a.low {
			low = step
		}
	}
	for i := len(steps) - 1; i >= 0 && steps[i] >= a.high; i-- {
		high = steps[i]
	}
	if low == high {
		high *= 2
	}
	a.low, a.high = low, high
}

// steps returns 1, 2 and 5 times the powers of ten between two values.
func (axis) steps(low, high float64) []float64 {
	var steps []float64
	for power := math.Floor(math.Log10(low)); power <= math.Ceil(math.Log10(high)); power++ {
		for _, digit := range []float64{1, 2, 5} {
			// A little play, since powers of ten are not exact.
			if step := digit * math.Pow(10, power); step > low*0.999 && step < high*1.001 {
				steps = append(steps, step)
			}
		}
	}
	return steps
}

func (a axis) at(v float64) float64 {
	return a.from + (a.to-a.from)*math.Log(v/a.low)/math.Log(a.high/a.low)
}

// ticks returns the values that the axis names.
func (a axis) ticks() []float64 {
	all := a.steps(a.low, a.high)
	if len(all) <= 8 {
		return all
	}
	var tens []float64
	for _, v := range all {
		if exponent := math.Log10(v); math.Abs(exponent-math.Round(exponent)) < 0.01 {
			tens = append(tens, v)
		}
	}
	return tens
}

func (p panel) draw(s *strings.Builder, t *table) {
	title, _, _ := strings.Cut(t.Label, ":")
	text(s, marginLeft, 24, "start", `font-size="14" font-weight="bold"`, title)
	for _, v := range p.seconds.ticks() {
		y := p.seconds.at(v)
		fmt.Fprintf(s, `<path d="M%d %.1fH%d" stroke="#dddddd"/>`+"\n", marginLeft, y, panelWidth-marginRight)
		text(s, marginLeft-8, y+4, "end", "", strings.TrimSuffix(humanize.FtoaWithDigits(v, 3), ".0")+" s")
	}
	for _, v := range p.users.ticks() {
		x := p.users.at(v)
		fmt.Fprintf(s, `<path d="M%.1f %dV%d" stroke="#dddddd"/>`+"\n", x, marginTop, panelHeight-marginBottom)
		text(s, x, panelHeight-marginBottom+18, "middle", "", humanize.Comma(int64(math.Round(v))))
	}
	text(s, (marginLeft+panelWidth-marginRight)/2, panelHeight-10, "middle", "", "users")
	for i, l := range t.Lines {
		style := styles[l.Name]
		y := 44 + 18*i
		fmt.Fprintf(s, `<path d="M%d %dh32" stroke="%s" stroke-width="2" stroke-dasharray="%s"/>`+"\n", marginLeft, y, style.colour, style.dashes)
		text(s, marginLeft+40, float64(y+4), "start", "", l.Name)
		p.drawLine(s, l)
	}
}

func (p panel) drawLine(s *strings.Builder, l line) {
	style := styles[l.Name]
	var points strings.Builder
	for _, at := range l.Points {
		fmt.Fprintf(&points, "%.1f,%.1f ", p.users.at(float64(at.Users)), p.seconds.at(at.Seconds))
	}
	fmt.Fprintf(s, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2" stroke-dasharray="%s"/>`+"\n",
		strings.TrimSpace(points.String()), style.colour, style.dashes)
	for _, at := range l.Points {
		fmt.Fprintf(s, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"><title>`, p.users.at(float64(at.Users)), p.seconds.at(at.Seconds), style.colour)
		escape(s, fmt.Sprintf("%s: %s users, %.2f s", l.Name, humanize.Comma(int64(at.Users)), at.Seconds))
		s.WriteString("</title></circle>\n")
	}
}

func text(s *strings.Builder, x, y float64, anchor, more, words string) {
	fmt.Fprintf(s, `<text x="%.1f" y="%.1f" text-anchor="%s" %s>`, x, y, anchor, more)
	escape(s, words)
	s.WriteString("</text>\n")
}

func escape(s *strings.Builder, words string) {
	_ = xml.EscapeText(s, []byte(words)) // a Builder takes everything
}
