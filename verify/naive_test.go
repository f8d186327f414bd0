package verify_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

// naive compares two sides as one would on paper: everything in maps, and a rule a kind, written from the description of
// the merge rules and not from the code. It returns the differences as text, in order.
func naive(items []record.Item, documents []record.Document, o record.CompareOptions) []string {
	n := naiveComparison{o: o, found: make(map[string]bool)}
	type id struct {
		kind record.Kind
		of   record.Identity
	}
	records := make(map[id]record.Record)
	leftOut := make(map[id]*record.Omitted)
	rejectedKeys := make(map[string]bool)
	known := make(map[id]bool)
	for _, it := range items {
		at := id{it.Kind, it.Identity()}
		leftOut[at], known[at] = it.Omitted(), at.of.String() != "" || at.kind == record.Metrics
		if it.APIKey != "" {
			rejectedKeys[at.of.String()+" "+it.APIKey] = true
		}
		if it.Record != nil {
			r := *it.Record
			r.Omitted = it.Omitted()
			records[at] = r
		}
	}
	met := make(map[id]bool)
	for _, s := range documents {
		at := id{s.Kind, s.Identity()}
		r, present := records[at]
		nobody := s.User == 0 && !s.Named && s.Kind != record.Metrics
		switch {
		case !nobody && present && !met[at]:
			met[at] = true
			n.compare(r, s)
			continue
		case !nobody && met[at]:
			n.add(s.Kind, s.User, s.Name.String(), "", record.Extra)
		case s.Kind == record.APIKeys:
			if o.Exact || nobody || !rejectedKeys[at.of.String()+" "+s.Held.APIKey] {
				n.add(s.Kind, s.User, s.Name.String(), "", record.Extra)
			}
		case o.Exact:
			excused := !nobody && !s.Held.Untyped && known[at] && s.Kind != record.APIKeys
			for name := range s.Held.Fields {
				excused = excused && leftOut[at].Has(name)
			}
			if !excused {
				n.add(s.Kind, s.User, s.Name.String(), "", record.Extra)
			}
		}
		met[at] = met[at] || known[at]
	}
	for at := range records {
		if !met[at] {
			n.add(at.kind, at.of.User, at.of.Name.String(), "", record.Missing)
		}
	}
	var list []string
	for d := range n.found {
		list = append(list, d)
	}
	slices.Sort(list)
	return list
}

type naiveComparison struct {
	o     record.CompareOptions
	found map[string]bool
}

func (n *naiveComparison) add(kind record.Kind, user record.UserID, name, field string, t record.DifferenceType) {
	n.found[line(record.Difference{Kind: kind, User: user, Name: name, Field: field, Type: t})] = true
}

func line(d record.Difference) string {
	return fmt.Sprintf("%s %s %d %q %q", d.Type, d.Kind, d.User, d.Name, d.Field)
}

func (n *naiveComparison) compare(r record.Record, s record.Document) {
	field := func(name string, t record.DifferenceType) { n.add(r.Kind, r.User, r.Name.String(), name, t) }
	othersKeep := n.o.Policy == record.PreferTarget && !n.o.Exact && !s.Held.Unmodified
	switch r.Kind {
	case record.APIKeys:
		switch {
		case s.Held.APIKey == "":
			field("key", record.Missing)
		case s.Held.APIKey != r.APIKey && !othersKeep:
			field("key", record.Different)
		}
	case record.KV:
		for name, f := range r.Fields {
			theirs, exists := s.Held.Fields[name]
			switch {
			case !exists:
				field(name, record.Missing)
			case !record.Equal(f.Value, theirs) && !othersKeep:
				field(name, record.Different)
			}
		}
		for name := range s.Held.Fields {
			if _, ours := r.Fields[name]; !ours && !r.Omitted.Has(name) && (n.o.Exact || s.Held.Unmodified) {
				field(name, record.Extra)
			}
		}
	case record.LastSeen:
		theirs, ok := inSeconds(s.Held.Times["timestamp"])
		switch ours := float64(r.Time) / 1000; {
		case s.Held.Times["timestamp"] == nil:
			field("timestamp", record.Missing)
		case !ok || theirs < ours || n.o.Exact && theirs != ours:
			field("timestamp", record.Different)
		}
	case record.MonitoringSince:
		since, ok := inSeconds(s.Held.Times["since"])
		other, otherOK := inSeconds(s.Held.Times["monitoring_since"])
		since = float64(int64(since))
		switch ours := float64(r.Time); {
		case s.Held.Times["since"] == nil:
			field("since", record.Missing)
		case !ok || since > ours || n.o.Exact && since != ours:
			field("since", record.Different)
		case otherOK && float64(int64(other)) < since:
			field("since", record.Different) // merging would write the earlier one
		}
	case record.Metrics:
		if s.Held.Untyped {
			field("type", record.Different)
		}
		for name, f := range r.Fields {
			theirs, exists := s.Held.Fields[name]
			a, b := number(f.Value), number(theirs)
			switch {
			case !exists:
				field(name, record.Missing)
			case b < 0 || b < a || n.o.Exact && a != b:
				field(name, record.Different)
			}
		}
		if n.o.Exact {
			for name := range s.Held.Fields {
				if _, ours := r.Fields[name]; !ours && !r.Omitted.Has(name) {
					field(name, record.Extra)
				}
			}
		}
	}
}

// inSeconds reads a time as the generators write it; it reports false for one that cannot be true.
func inSeconds(v any) (float64, bool) {
	var s float64
	switch v := v.(type) {
	case int64:
		s = float64(v)
	case float64:
		s = v
	case time.Time:
		s = float64(v.UnixMilli()) / 1000
	case string:
		if _, err := fmt.Sscanf(v, "%f", &s); err != nil {
			return 0, false
		}
	default:
		return 0, false
	}
	if s > 1e11 {
		s /= 1000
	}
	return s, s > 1420070400 && s < 1.9e9
}

// number reads a counter; what is none is below zero.
func number(v record.Value) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	case string:
		var f float64
		if _, err := fmt.Sscanf(v, "%f", &f); err == nil {
			return f
		}
	}
	return -1
}
