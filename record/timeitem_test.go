package record_test

import (
	"testing"

	"pgregory.net/rapid"

	. "github.com/lanyardctl/lanyardctl/record"
)

// TestOfSeveralTimesTheOneGoesOnThatMergeKeeps holds what a source makes of several values to what a target makes of them.
func TestOfSeveralTimesTheOneGoesOnThatMergeKeeps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]Kind{LastSeen, MonitoringSince}).Draw(t, "kind")
		value := rapid.OneOf(
			rapid.Map(rapid.Int64Range(1400000000, 1800000000), func(n int64) any { return n }),
			rapid.Map(rapid.Int64Range(1400000000000, 1800000000000), func(n int64) any { return n }),
			rapid.SampledFrom([]any{"2022-10-01", 1.6e9, "7", nil, true, int64(-1), int64(1664641326)}),
		)
		values := rapid.SliceOfN(value, 1, 4).Draw(t, "values")
		bounds := TimeBounds(kind, user, now)
		item := NewTimeItem(kind, user, now)
		var best *Record
		for _, v := range values {
			item.Add(v, Origin{})
			m, reason, _ := Timestamp(kind, v, bounds)
			if reason != "" {
				continue
			}
			r := Record{Kind: kind, User: user, Time: m.Time}
			if best != nil {
				held := Held{Found: true, Times: map[string]any{TimeField(kind): best.Time}}
				if d := Merge(r, Existing{Held: held}, bounds, FailOnConflict); !d.Write {
					r = *best
				}
			}
			best = &r
		}
		it := item.Item()
		if (it.Record == nil) != (best == nil) || best != nil && it.Record.Time != best.Time {
			t.Errorf("%v: %+v, want %+v", values, it.Record, best)
		}
		good := 0
		for _, v := range values {
			if _, reason, _ := Timestamp(kind, v, bounds); reason == "" {
				good++
			}
		}
		if len(it.Rejects) != len(values)-good {
			t.Errorf("%v: %d rejects", values, len(it.Rejects))
		}
	})
}
