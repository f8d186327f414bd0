package sweep

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/lanyardctl/lanyardctl/record"
)

// places are all places of a run: those of the target's collections, in the order in which the app looks at them, then
// those of the other sources by name.
type places struct {
	list []record.DatePlace

	// first is the index of a collection's first place.
	first map[record.Collection]int

	// of is the index of each place of the other sources, by the source's index and the place's index in it.
	of [][]uint16
}

func newPlaces(sources []record.DateSource) (places, error) {
	p := places{first: make(map[record.Collection]int)}
	for _, c := range record.UserCollections {
		p.first[c] = len(p.list)
		for _, f := range record.PlacesIn(c) {
			p.list = append(p.list, f.Place)
		}
	}
	own := len(p.list)
	for _, s := range sources {
		p.list = append(p.list, s.Places()...)
	}
	slices.SortFunc(p.list[own:], func(a, b record.DatePlace) int { return cmp.Compare(a.Name, b.Name) })
	index := make(map[string]uint16, len(p.list))
	for i, place := range p.list {
		if _, twice := index[place.Name]; twice {
			return p, fmt.Errorf("two sources of dates are called %s", place.Name)
		}
		index[place.Name] = uint16(i)
	}
	for _, s := range sources {
		var list []uint16
		for _, place := range s.Places() {
			list = append(list, index[place.Name])
		}
		p.of = append(p.of, list)
	}
	return p, nil
}

// group returns the group of the entries of a place that is none of a collection's.
func (p places) group(place uint16) uint16 { return firstPlace + place }

// in returns the places whose documents an entry of the group is one of.
func (p places) in(group uint16) (from, to int) {
	if group >= firstPlace {
		i := int(group - firstPlace)
		return i, i + 1
	}
	c := record.Collection(group)
	return p.first[c], p.first[c] + len(record.PlacesIn(c))
}
