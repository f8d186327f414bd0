package record

import (
	"math"
	"strings"
	"time"
)

// Bounds are the earliest and the latest plausible time, in Unix milliseconds, both included.
type Bounds struct {
	Earliest, Latest int64
	created          bool // Earliest is the account's creation
}

// TimeBounds returns what is plausible at now for a user's time of the given kind: from 2015 (no Discord, no Lanyard
// before) to a day from now. Nobody was monitored before their account existed; that bound is ignored where the id puts
// the creation in the future, since such an id is no real snowflake.
func TimeBounds(kind Kind, user UserID, now time.Time) Bounds {
	b := Bounds{Earliest: discordEpoch, Latest: now.Add(24 * time.Hour).UnixMilli()}
	t, ok := kind.rules().(*timeKind)
	if created := user.Created(); ok && t.ofLife && created > b.Earliest && created <= now.UnixMilli() {
		// The date is kept in seconds, so the creation's own second counts as after it.
		b.Earliest, b.created = created-created%1000, true
	}
	return b
}

// fault says on which side of the bounds ms lies; it is empty for a plausible time.
func (b Bounds) fault(ms int64) string {
	switch {
	case ms > b.Latest:
		return inFuture
	case ms >= b.Earliest:
		return ""
	case b.created && ms >= discordEpoch:
		return "before the account's creation"
	}
	return "before 2015-01-01"
}

// inFuture is the detail of a time that is later than all plausible ones.
const inFuture = "more than a day in the future"

// InFuture reports whether a time was refused, with the reason and the detail, because it lies in the future.
func InFuture(reason Reason, detail string) bool {
	return reason == ImplausibleTimestamp && detail == inFuture
}

// ClockInDoubt reports whether so many of the times lie in the future that the clock by which they were judged may be wrong.
func ClockInDoubt(future, times int64) bool { return future >= 10 && future*10 >= times }

// The three units are told apart by size: within the plausible years, their values are a factor of 1000 apart. A value
// below the first bound is seconds up to the year 5138.
const (
	secondsBelow      = 1e11
	millisecondsBelow = 1e14
	microsecondsBelow = 1e17
)

// isoLayouts are the forms of ISO 8601 that Elixir, JavaScript and Python write. A time without zone is UTC.
var isoLayouts = []string{
	"2006-01-02T15:04:05.999999999Z07:00",
	"2006-01-02T15:04:05.999999999Z0700",
	"2006-01-02T15:04:05.999999999",
	"2006-01-02T15:04Z07:00",
	"2006-01-02T15:04",
	"2006-01-02",
}

// Moment is a time as a record keeps it.
type Moment struct {
	Time       int64 // in the unit of the kind
	Normalised bool  // it stood in another unit or type
}

// Timestamp reads the time of a LastSeen (milliseconds) or MonitoringSince (seconds) record from what a source or a
// target holds: an int64, a float64, numeric or ISO 8601 text, or a [time.Time]; seconds, milliseconds or microseconds.
// The reason is empty for a plausible time, else NotATimestamp or ImplausibleTimestamp.
func Timestamp(kind Kind, v any, bounds Bounds) (Moment, Reason, string) {
	t := kind.timeKind()
	ms, native, reason, detail := t.milliseconds(v)
	if reason != "" {
		return Moment{}, reason, detail
	}
	if fault := bounds.fault(ms); fault != "" {
		return Moment{}, ImplausibleTimestamp, fault
	}
	return Moment{Time: t.inUnit(ms), Normalised: !native}, "", ""
}

// WorseTime reports whether a, as [Timestamp] takes it, is a worse time of the kind than b, or none.
func WorseTime(kind Kind, a, b any) bool {
	t := kind.timeKind()
	first, _, none, _ := t.milliseconds(a)
	second, _, other, _ := t.milliseconds(b)
	return none != "" || other == "" && first != second && (first < second) != t.earliest
}

// AppTimes returns the earliest and the latest time that the app can read, in the unit of the kind: Elixir's clock ends
// with the year 9999. So milliseconds in place of seconds are beyond.
func AppTimes(kind Kind) (least, most int64) {
	const first, last = -377705116800, 253402300799 // seconds
	if kind.timeKind().seconds {
		return first, last
	}
	return first * 1000, last*1000 + 999
}

func (t *timeKind) inUnit(ms int64) int64 {
	if t.seconds {
		return floorDiv(ms, 1000)
	}
	return ms
}

// milliseconds reads v as Unix milliseconds; native tells that it was an integer (or its text) in the kind's own unit.
func (t *timeKind) milliseconds(v any) (ms int64, native bool, reason Reason, detail string) {
	switch v := v.(type) {
	case int64:
		return t.integer(v)
	case float64:
		return floatTime(v)
	case time.Time:
		return v.UnixMilli(), false, "", ""
	case string:
		text := strings.TrimSpace(v)
		if n, ok := ParseNumber(text); ok {
			ms, native, reason, detail = t.milliseconds(n)
			return ms, native && text == v && text[0] != '+', reason, detail
		}
		iso := strings.Replace(text, " ", "T", 1)
		for _, layout := range isoLayouts {
			if at, err := time.Parse(layout, iso); err == nil {
				return at.UnixMilli(), false, "", ""
			}
		}
	}
	return 0, false, NotATimestamp, "neither a number nor an ISO 8601 time"
}

func (t *timeKind) integer(n int64) (ms int64, native bool, reason Reason, detail string) {
	switch {
	case n < 0:
		return 0, false, ImplausibleTimestamp, "negative"
	case n < secondsBelow:
		return n * 1000, t.seconds, "", ""
	case n < millisecondsBelow:
		return n, !t.seconds, "", ""
	case n < microsecondsBelow:
		return n / 1000, false, "", ""
	}
	return 0, false, ImplausibleTimestamp, "too large for a time in microseconds"
}

func floatTime(f float64) (ms int64, native bool, reason Reason, detail string) {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return 0, false, NotATimestamp, "not finite"
	case f < 0:
		return 0, false, ImplausibleTimestamp, "negative"
	case f < secondsBelow:
		return int64(f * 1000), false, "", ""
	case f < millisecondsBelow:
		return int64(f), false, "", ""
	case f < microsecondsBelow:
		return int64(f / 1000), false, "", ""
	}
	return 0, false, ImplausibleTimestamp, "too large for a time in microseconds"
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
