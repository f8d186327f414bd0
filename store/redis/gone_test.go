package redis

import (
	"testing"

	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// TestKeysThatAreGoneAreNoLossWhereABusyLanyardRemovedThem counts pages of 100 keys each. The pages beside were looked at
// about the same time.
func TestKeysThatAreGoneAreNoLossWhereABusyLanyardRemovedThem(t *testing.T) {
	store, err := Open(t.Context(), Options{URI: redisserver.Start(t).URI})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	for name, c := range map[string]struct {
		gone   int64
		beside []looks
		lost   bool
	}{
		"a few":                         {fewKeys, nil, false},
		"an eighth of each page":        {12, []looks{{100, 12}, {100, 12}, {100, 12}, {100, 12}}, false},
		"half of a page":                {50, nil, true},
		"a little less than half of it": {49, nil, false},
		"half a page, of two":           {25, []looks{{100, 25}}, true},
		"half a page, of two beside":    {0, []looks{{100, 20}, {100, 30}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			var keys []*probe
			for i := range int64(100) {
				p := &probe{seen: true}
				if p.State = layout.Present; i < c.gone {
					p.State = layout.Absent
				}
				keys = append(keys, p)
			}
			if _, err := store.countGone(t.Context(), "scan", keys, c.beside...); (err != nil) != c.lost {
				t.Errorf("%v", err)
			}
		})
	}
}
