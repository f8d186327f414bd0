package record

import (
	"math"
	"strings"
)

// metricsRules are those of the counters, which stand in one document: the larger one wins, counter by counter.
var metricsRules = &metricsKind{traits{
	name: "metrics", collection: MetricsCollection, shape: FieldsShape, nobodys: true, ordered: true, frame: bsonDates,
}}

type metricsKind struct{ traits }

// merge keeps the larger of two counters. What stands in a counter's place and is none gives way. A document that the
// app does not find is written also where all counters are right.
func (*metricsKind) merge(m merging) Decision {
	m.d.Write = m.held.Untyped
	for _, name := range m.r.FieldNames() {
		ours := m.r.Fields[name].Value
		stands, exists := m.held.Fields[name]
		if !exists {
			m.set(name, ours)
			continue
		}
		best := ours
		theirs, reason, _ := Counter(name, stands)
		if reason == "" && CompareNumbers(theirs, ours) >= 0 {
			best = theirs
		}
		if _, text := stands.(string); !text && Equal(best, stands) {
			continue
		}
		m.targetGaveWay(name, stands)
		m.set(name, best)
	}
	return m.d
}

func (*metricsKind) compare(c comparing) []Difference {
	if c.held.Untyped {
		c.add("type", Different)
	}
	stand := counters(c.held.Fields)
	if c.exact {
		c.exactFields(stand)
		return c.found
	}
	for name, v := range c.d.Set {
		theirs, exists := stand[name]
		if !exists || !Equal(theirs, v) {
			c.unequal(name, exists)
		}
	}
	return c.found
}

func (*metricsKind) content(c Content, held Held, _ Bounds) Content {
	c.Complete = !held.Untyped
	c.Record.Fields = make(map[string]Field, len(held.Fields))
	for name, v := range counters(held.Fields) {
		_, mistyped := held.Fields[name].(string)
		_, stays := v.(string)
		c.Mistyped = c.Mistyped || mistyped && !stays
		c.Record.Fields[name] = Field{Value: v}
	}
	return c
}

// refusesName refuses what would be a path or an operator: counters stand in the document itself, and the app's own $set
// takes a dot for a path.
func (*metricsKind) refusesName(name string) string {
	if name == "" || strings.HasPrefix(name, "$") || strings.Contains(name, ".") {
		return "no counter of this name can be updated in a document"
	}
	return ""
}

// counters returns the fields of a document as the counters that they mean; what is no counter is as it stands.
func counters(stand map[string]Value) map[string]Value {
	fields := make(map[string]Value, len(stand))
	for name, v := range stand {
		if counter, reason, _ := Counter(name, v); reason == "" {
			v = counter
		}
		fields[name] = v
	}
	return fields
}

// AppCounters returns the names of the counters that the app keeps, in alphabetical order. The stores may hold others.
func AppCounters() []string {
	return []string{
		"lanyard_2xx_responses", "lanyard_4xx_responses", "lanyard_5xx_responses", "lanyard_discord_messages_sent",
		"lanyard_messages_inbound", "lanyard_messages_outbound", "lanyard_presence_updates",
	}
}

// ReservedCounter reports whether a field of the metrics document is no counter, but the document's own.
func ReservedCounter(name string) bool {
	switch name {
	case "_id", "type", "updated_at", WrittenField:
		return true
	}
	return false
}

// Counter reads a counter: an int64, a float64, or decimal text. A counter is a finite number from zero up, as the app
// stops at boot on anything else. The reason is empty where the counter is good.
func Counter(name string, v Value) (Value, Reason, string) {
	if ReservedCounter(name) {
		return nil, NotACounter, "the name is reserved for the document itself"
	}
	if text, ok := v.(string); ok {
		n, ok := ParseNumber(text)
		if !ok {
			return nil, NotACounter, "no decimal number"
		}
		v = n
	}
	switch n := v.(type) {
	case int64:
		if n < 0 {
			return nil, NotACounter, "negative"
		}
		return n, "", ""
	case float64:
		switch {
		case math.IsNaN(n) || math.IsInf(n, 0):
			return nil, NotACounter, "not finite"
		case n < 0:
			return nil, NotACounter, "negative"
		}
		return n + 0, "", "" // minus zero plus zero is zero
	}
	return nil, NotACounter, "no number"
}
