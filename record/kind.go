package record

import (
	"fmt"
	"strings"
)

// Kind is one of the five things that Lanyard keeps.
type Kind uint8

// The kinds, in the order in which reports name them.
const (
	APIKeys Kind = iota
	KV
	LastSeen
	MonitoringSince
	Metrics
)

// KindCount is the number of kinds; kinds are the integers below it.
const KindCount = 5

var kindNames = [KindCount]string{"api_keys", "kv", "last_seen", "monitoring_since", "metrics"}

// String returns the kind's name as flags and reports spell it, such as "api_keys".
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// MarshalText returns [Kind.String].
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Kinds is a set of kinds. The zero value is empty.
type Kinds uint8

// AllKinds holds every kind.
const AllKinds Kinds = 1<<KindCount - 1

// Has reports whether k is in the set.
func (s Kinds) Has(k Kind) bool { return s&(1<<k) != 0 }

// With returns the set and k.
func (s Kinds) With(k Kind) Kinds { return s | 1<<k }

// List returns the set's kinds in the order of reports.
func (s Kinds) List() []Kind {
	var list []Kind
	for k := range Kind(KindCount) {
		if s.Has(k) {
			list = append(list, k)
		}
	}
	return list
}

// String returns the names of the set's kinds, separated by commas.
func (s Kinds) String() string {
	var names []string
	for _, k := range s.List() {
		names = append(names, k.String())
	}
	return strings.Join(names, ",")
}

// ParseKinds returns the set of the named kinds. It fails on a name that is no kind, and on no name at all.
func ParseKinds(names []string) (Kinds, error) {
	var set Kinds
next:
	for _, name := range names {
		name = strings.TrimSpace(name)
		for k := range Kind(KindCount) {
			if kindNames[k] == name {
				set = set.With(k)
				continue next
			}
		}
		return 0, fmt.Errorf("unknown kind %q (the kinds are %s)", name, AllKinds)
	}
	if set == 0 {
		return 0, fmt.Errorf("no kind named (the kinds are %s)", AllKinds)
	}
	return set, nil
}
