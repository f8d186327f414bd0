package main

import (
	"context"
	"slices"
)

// runner runs one program once, and says what it took.
type runner func(context.Context) (cost, error)

// inTurns runs the runners in turns, each as often: so what slows the machine down for a while meets all of them. It
// returns the costs of each, by turn.
func inTurns(ctx context.Context, turns int, runners ...runner) ([][]cost, error) {
	costs := make([][]cost, len(runners))
	for range turns {
		for i, run := range runners {
			c, err := run(ctx)
			if err != nil {
				return nil, err
			}
			costs[i] = append(costs[i], c)
		}
	}
	return costs, nil
}

// medianOf returns the middle one of the values, or the mean of the two in the middle.
func medianOf(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// medianCost returns the median of each figure.
func medianCost(costs []cost) cost {
	return cost{
		Seconds: medianOf(each(costs, seconds)),
		CPU:     medianOf(each(costs, cpu)),
		Server:  medianOf(each(costs, serverCPU)),
		Peak:    int64(medianOf(each(costs, func(c cost) float64 { return float64(c.Peak) }))),
	}
}

func seconds(c cost) float64   { return c.Seconds }
func cpu(c cost) float64       { return c.CPU }
func serverCPU(c cost) float64 { return c.Server }

func each(costs []cost, figure func(cost) float64) []float64 {
	var values []float64
	for _, c := range costs {
		values = append(values, figure(c))
	}
	return values
}

// ratios returns the ratio of each turn.
func ratios(of, to []cost, figure func(cost) float64) []float64 {
	var values []float64
	for i := range of {
		values = append(values, figure(of[i])/figure(to[i]))
	}
	return values
}
