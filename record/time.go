package record

import "time"

// timeKind is a kind that keeps a time of a user.
type timeKind struct {
	traits
	fields   []string // of a document: the one that the app reads, and those that bear on it
	seconds  bool     // its unit is Unix seconds; else milliseconds
	earliest bool     // the earlier of two times wins; else the later
	ofLife   bool     // no time is before the account's creation
}

// timeKind returns the rules of a kind that keeps a time. It panics on any other.
func (k Kind) timeKind() *timeKind {
	t, ok := k.rules().(*timeKind)
	if !ok {
		panic("record: " + k.String() + " keeps no time")
	}
	return t
}

// TimeField returns the name of the field in which the app keeps the kind's time.
func TimeField(kind Kind) string { return TimeFields(kind)[0] }

// TimeFields returns the names of the fields that bear on the kind's time: the first is the one that the app reads, the
// others are forks'. The caller must not change them.
func TimeFields(kind Kind) []string { return kind.timeKind().fields }

// PlainTime reports whether the app reads n in the kind's [TimeField] as the plausible time of a user that it is.
func PlainTime(kind Kind, user UserID, n int64, now time.Time) bool {
	ms, native, reason, _ := kind.timeKind().integer(n)
	return native && reason == "" && TimeBounds(kind, user, now).fault(ms) == ""
}

// merge keeps the better time. A value of the target that is no plausible time never wins, and one of another type or
// unit is mended to the integer that the app needs.
func (t *timeKind) merge(m merging) Decision {
	best := m.r.Time
	for _, v := range m.held.Times {
		theirs, reason, _ := Timestamp(m.r.Kind, v, m.bounds)
		if reason == "" && (theirs.Time < best) == t.earliest {
			best = theirs.Time
		}
	}
	stands, exists := m.held.Times[t.fields[0]]
	if n, ok := stands.(int64); ok && n == best {
		return m.d
	}
	if exists {
		m.targetGaveWay(t.fields[0], stands)
	}
	m.d.Time, m.d.Write = best, true
	return m.d
}

func (t *timeKind) compare(c comparing) []Difference {
	stands, exists := c.held.Times[t.fields[0]]
	theirs, reason, _ := Timestamp(c.r.Kind, stands, c.bounds)
	is := func(time int64) bool { return exists && reason == "" && theirs.Time == time }
	if c.exact && !is(c.r.Time) || c.d.Write && !is(c.d.Time) {
		c.unequal(t.fields[0], exists)
	}
	return c.found
}

func (t *timeKind) content(c Content, held Held, bounds Bounds) Content {
	stands, exists := held.Times[t.fields[0]]
	m, reason, _ := Timestamp(c.Record.Kind, stands, bounds)
	c.Record.Time = m.Time
	if !exists || reason != "" {
		c.Complete = false
		return c
	}
	n, ok := stands.(int64)
	c.Mistyped = !ok || n != m.Time
	for name, v := range held.Times {
		// A fork's other field counts only where it would win.
		other, reason, _ := Timestamp(c.Record.Kind, v, bounds)
		if name != t.fields[0] && reason == "" && other.Time < m.Time {
			c.Complete = false
		}
	}
	return c
}

func (*timeKind) refusesName(string) string { return "" }
