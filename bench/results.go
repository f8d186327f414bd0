package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/lanyardctl/lanyardctl/bench/yardstick"
)

// results is what the bench found.
type results struct {
	CPUs    int      `json:"cpus"`
	System  string   `json:"system"`
	Turns   int      `json:"turns"`
	Seconds float64  `json:"seconds"`
	Tables  []*table `json:"targets"`
}

// table is what was measured on one target.
type table struct {
	Target string `json:"target"`
	Label  string `json:"label"`
	Rows   []row  `json:"rows"`
	Lines  []line `json:"lines"` // of the plot: time against users
}

// row is one figure: the median of the turns.
type row struct {
	Name      string    `json:"name"`
	Users     int       `json:"users,omitzero"`
	Keys      int       `json:"keys,omitzero"`
	Value     float64   `json:"value"`
	Turns     []float64 `json:"turns,omitempty"` // the figure of each
	Goal      *goal     `json:"goal,omitempty"`
	Ours      *cost     `json:"ours,omitempty"`
	Yardstick *cost     `json:"yardstick,omitempty"`
}

// line is a line of the plot.
type line struct {
	Name   string  `json:"name"`
	Points []point `json:"points"`
}

type point struct {
	Users   int     `json:"users"`
	Seconds float64 `json:"seconds"`
}

// Names of lines.
const (
	lineOurs = "lanyardctl migrate"
	lineLoad = "plain load of ready-made documents"
	lineFork = "the fork's way"
)

func newResults(o *options) *results {
	return &results{CPUs: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH, Turns: o.turns}
}

func (r *results) table(t *target) *table {
	for _, known := range r.Tables {
		if known.Target == t.name {
			return known
		}
	}
	r.Tables = append(r.Tables, &table{Target: t.name, Label: t.label})
	return r.Tables[len(r.Tables)-1]
}

// add adds a row of the values of the turns. A row without a yardstick has no costs of one.
func (r *results) add(t *target, size yardstick.Size, name string, values []float64, ours, plain []cost) {
	added := row{Name: name, Users: size.Users, Keys: size.Keys, Value: medianOf(values), Turns: values}
	if t.name != targetFerretDB { // where sizes are so small that the start of a process counts
		added.Goal = goalOf(name)
	}
	if ours != nil {
		c := medianCost(ours)
		added.Ours = &c
	}
	if plain != nil {
		c := medianCost(plain)
		added.Yardstick = &c
	}
	to := r.table(t)
	to.Rows = append(to.Rows, added)
}

func goalOf(name string) *goal {
	if g, ok := goals[name]; ok {
		return &g
	}
	return nil
}

func (r *results) addPoint(t *target, users int, name string, costs []cost) {
	to := r.table(t)
	i := slices.IndexFunc(to.Lines, func(l line) bool { return l.Name == name })
	if i < 0 {
		i = len(to.Lines)
		to.Lines = append(to.Lines, line{Name: name})
	}
	points := to.Lines[i].Points
	if len(points) > 0 && points[len(points)-1].Users == users {
		points = points[:len(points)-1] // measured again, with the rest of what is measured at this size
	}
	to.Lines[i].Points = append(points, point{users, medianCost(costs).Seconds})
}

// addGrowth adds how the time a record at each size compares with that at the first.
func (r *results) addGrowth(t *target) {
	to := r.table(t)
	for _, name := range []string{rowSource, rowMigrate, rowRerun, rowVerify} {
		var first *row
		for _, at := range slices.Clone(to.Rows) {
			if at.Name != name {
				continue
			}
			if first == nil {
				first = &at
				continue
			}
			what, _, _ := strings.Cut(name, " ")
			value := at.Ours.Seconds / float64(at.Keys) / (first.Ours.Seconds / float64(first.Keys))
			to.Rows = append(to.Rows, row{Name: what + rowGrowth, Users: at.Users, Keys: at.Keys, Value: value, Goal: goalOf(what + rowGrowth)})
		}
	}
}

// addPeak adds the largest memory of all runs of lanyardctl, by target.
func (r *results) addPeak() {
	for _, t := range r.Tables {
		var peak row
		for _, at := range t.Rows {
			if at.Ours != nil && float64(at.Ours.Peak)/(1<<20) > peak.Value {
				peak = row{Name: rowPeak, Users: at.Users, Keys: at.Keys, Value: float64(at.Ours.Peak) / (1 << 20), Goal: goalOf(rowPeak)}
			}
		}
		t.Rows = append(t.Rows, peak)
	}
}

// text returns the table for people.
func (r *results) text() string {
	var s strings.Builder
	fmt.Fprintf(&s, "Each figure is the median of %d runs, in turns with its yardstick; a ratio is one of times. %d CPUs, %s, %.0f s in all.\n",
		r.Turns, r.CPUs, r.System, r.Seconds)
	for _, t := range r.Tables {
		fmt.Fprintf(&s, "\n%s\n\n", t.Label)
		fmt.Fprintf(&s, "%9s  %-33s %8s  %-7s %-15s %9s %9s  %8s %8s  %6s\n",
			"", "", "", "", "", "ours", "yardstick", "own CPU", "yardst.", "peak")
		fmt.Fprintf(&s, "%9s  %-33s %8s  %-7s %-15s %9s %9s  %8s %8s  %6s\n",
			"users", "what", "figure", "goal", "lowest-highest", "s", "s", "s", "CPU s", "MiB")
		for _, at := range t.Rows {
			s.WriteString(at.text())
		}
	}
	return s.String()
}

func (at row) text() string {
	aim, spread, ours, plain := "", "", [3]string{}, [2]string{}
	if g := at.Goal; g != nil {
		aim = "≤ " + figure(g.Value)
		if g.missed(at.Value, 1) {
			aim += " !"
		}
	}
	if len(at.Turns) > 0 {
		spread = figure(slices.Min(at.Turns)) + "-" + figure(slices.Max(at.Turns))
	}
	if c := at.Ours; c != nil {
		ours = [3]string{fmt.Sprintf("%.2f", c.Seconds), fmt.Sprintf("%.2f", c.CPU), fmt.Sprintf("%.0f", float64(c.Peak)/(1<<20))}
	}
	if c := at.Yardstick; c != nil {
		plain = [2]string{fmt.Sprintf("%.2f", c.Seconds), fmt.Sprintf("%.2f", c.CPU)}
	}
	line := fmt.Sprintf("%9s  %-33s %8s  %-7s %-15s %9s %9s  %8s %8s  %6s", humanize.Comma(int64(at.Users)), at.Name, figure(at.Value), aim,
		spread, ours[0], plain[0], ours[1], plain[1], ours[2])
	return strings.TrimRight(line, " ") + "\n"
}

// figure returns a number with two digits that count, or as a whole.
func figure(v float64) string {
	switch {
	case v >= 20:
		return humanize.Comma(int64(v + 0.5))
	case v >= 1:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
