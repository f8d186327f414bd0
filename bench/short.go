package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/lanyardctl/lanyardctl/bench/yardstick"
)

// shortUsers is the size of the short form: a run of lanyardctl takes several times as long as its start.
const shortUsers = 40_000

// check is what the short form judges: what the runs of lanyardctl take at best, as against the yardstick's median.
//
// It judges CPU time, which a busy machine changes little. The best of several runs is nearest to what the program needs: all that
// can come to it is the machine's. The start of the process does not count, as it does not grow with the data. Of the
// yardstick, the median counts: one run that was lucky would stay its best in all rounds, and fail runs that were not.
type check struct {
	name        string
	ours, plain []cost
	keys        int // for a figure a key, in microseconds; the yardstick then tells how fast the machine is
}

func (c check) value(start float64) float64 {
	own := max(best(c.ours)-start, 0)
	if c.keys == 0 {
		return own / median(c.plain)
	}
	aKey := 1e6 / float64(c.keys)
	return own * aKey / max(1, median(c.plain)*aKey/scanReference)
}

// best returns the least CPU time of the runs.
func best(costs []cost) float64 { return slices.Min(each(costs, cpu)) }

// median returns the median of the runs' CPU time.
func median(costs []cost) float64 { return medianOf(each(costs, cpu)) }

// shortRounds is how often the short form measures before it believes in a regression.
const shortRounds = 3

// runShort measures one size on the counting server, and again where a figure is grossly beyond its goal.
func (b *bench) runShort(ctx context.Context, stdout io.Writer) error {
	t, _, err := b.open(ctx, targetCounting)
	if err != nil {
		return err
	}
	if err := b.fill(ctx, 1); err != nil {
		return err
	}
	b.say("start and end alone")
	starts, err := inTurns(ctx, b.options.turns, b.source(t, b.redisURI))
	if err != nil {
		return err
	}
	if err := b.fill(ctx, shortUsers); err != nil {
		return err
	}
	runners := b.shortRunners(t)
	costs := make([][]cost, len(runners))
	for round := 1; ; round++ {
		b.say("%d users: round %d of at most %d", shortUsers, round, shortRounds)
		more, err := inTurns(ctx, b.options.turns, runners...)
		if err != nil {
			return err
		}
		for i := range costs {
			costs[i] = append(costs[i], more[i]...)
		}
		checks := b.checks(costs)
		missed := missedGrossly(checks, best(starts[0]))
		if len(missed) > 0 && round < shortRounds {
			continue
		}
		if _, err := io.WriteString(stdout, shortText(checks, best(starts[0]))); err != nil {
			return err
		}
		if len(missed) > 0 {
			return fmt.Errorf("more than %g times beyond the goal, in each of %d rounds: %s", grossly, round, strings.Join(missed, "; "))
		}
		return nil
	}
}

// shortRunners returns what the short form runs, in the order of a turn.
func (b *bench) shortRunners(t *target) []runner {
	size := b.filled
	return []runner{
		b.source(t, b.redisURI),
		b.plain(t, yardstick.Task{Name: yardstick.TaskScan}, size.Keys),
		b.fresh(t),
		b.load(t),
		b.migrate(t, dbOurs, b.redisURI, 0, size.Documents),
		b.verify(t),
		b.plain(t, yardstick.Task{Name: yardstick.TaskReadBoth, Database: dbOurs}, size.Keys+size.Documents),
		b.wayBack(t, "upstream"),
		b.refill(t),
	}
}

// checks returns what is judged, given the costs of the runners.
func (b *bench) checks(costs [][]cost) []check {
	source, scan, migrate, load, rerun, verify, both := costs[0], costs[1], costs[2], costs[3], costs[4], costs[5], costs[6]
	return []check{
		{name: rowSource, ours: source, plain: scan},
		{name: rowMigrate, ours: migrate, plain: load},
		{name: rowCPU, ours: migrate, plain: scan, keys: b.filled.Keys},
		{name: rowRerun, ours: rerun, plain: both},
		{name: rowVerify, ours: verify, plain: both},
		{name: rowBackUpstream, ours: costs[7], plain: costs[8]},
	}
}

func missedGrossly(checks []check, start float64) (names []string) {
	for _, c := range checks {
		if shortGoals[c.name].missed(c.value(start), grossly) {
			names = append(names, c.name)
		}
	}
	return names
}

func shortText(checks []check, start float64) string {
	var s strings.Builder
	fmt.Fprintf(&s, "CPU time of the best of %d runs, without the %.2f s of start and end; %d users on the counting server\n\n", len(checks[0].ours), start, shortUsers)
	fmt.Fprintf(&s, "%-28s %8s  %-8s %-7s %8s %8s\n", "what", "figure", "goal", "fails", "ours s", "yardst.")
	for _, c := range checks {
		g := shortGoals[c.name]
		fails := "> " + figure(g.Value*grossly)
		if g.missed(c.value(start), grossly) {
			fails += " !"
		}
		fmt.Fprintf(&s, "%-28s %8s  %-8s %-7s %8.3f %8.3f\n",
			c.name, figure(c.value(start)), "≤ "+figure(g.Value), fails, best(c.ours), median(c.plain))
	}
	return s.String()
}
