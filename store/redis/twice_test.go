package redis

import (
	"context"
	"strings"
	"testing"

	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// TestAKeyThatIsMadeBetweenTwoLooksIsNotTakenForEmpty reads a key that is not there at the first look. That the second
// finds it says nothing of what the first has seen.
func TestAKeyThatIsMadeBetweenTwoLooksIsNotTakenForEmpty(t *testing.T) {
	server := redisserver.Start(t)
	store, err := Open(t.Context(), Options{URI: server.URI})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	for name, made := range map[string]string{"short": "1700000000000", "long": strings.Repeat("1", 3*firstBytes), "empty": ""} {
		t.Run(name, func(t *testing.T) {
			key := layout.UpstreamLastSeen.Key("94490510688792576")
			store.reads.Del(t.Context(), key)
			looks := 0
			again := store.lookups()
			ask := again.ask
			again.ask = func(ctx context.Context, what string, b *batch) error {
				err := ask(ctx, what, b)
				if looks++; looks == 1 {
					store.reads.Set(ctx, key, made, 0)
				}
				return err
			}
			founds, err := again.read(t.Context(), key)
			if err != nil || founds[0].State != layout.Present || founds[0].Text != made {
				t.Errorf("%v, state %d, a text of %d bytes; want %d", err, founds[0].State, len(founds[0].Text), len(made))
			}
		})
	}
}
