package redis

import (
	"context"
	"fmt"
	"slices"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// askSlots returns which master of a Cluster has which slots, as a text to compare, and whether a slot of the asked node
// is moving: a SCAN may then miss a key or meet it twice.
func askSlots(ctx context.Context, c *goredis.Client) (slots string, moving bool, err error) {
	text, err := c.ClusterNodes(ctx).Result()
	if err != nil {
		return "", false, err
	}
	slots, moving = parseNodes(text)
	return slots, moving, nil
}

// parseNodes reads CLUSTER NODES: lines of id, address, flags, master, three numbers, state, and slots. A node shows
// slots that move as [slot->-id] or [slot-<-id] on its own line.
func parseNodes(text string) (slots string, moving bool) {
	const columns = 8
	var lines []string
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) <= columns {
			continue
		}
		owned := words[columns:]
		moving = moving || slices.ContainsFunc(owned, func(w string) bool { return strings.HasPrefix(w, "[") })
		lines = append(lines, words[0]+" "+strings.Join(owned, " "))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n"), moving
}

// unchanged fails where a scan of n cannot be complete: the process is another one, or slots moved.
func (s *Store) unchanged(ctx context.Context, n node) error {
	return s.retry(ctx, "check redis "+n.addr, func() error {
		f, err := askFacts(ctx, n.client)
		if err != nil {
			return err
		}
		if f["run_id"] != n.runID {
			return fmt.Errorf("%w; run again", ErrRestarted)
		}
		if s.single {
			return nil
		}
		slots, moving, err := askSlots(ctx, n.client)
		switch {
		case err != nil:
			return err
		case moving:
			return fmt.Errorf("%w: one is being migrated; run again when that is over", ErrResharded)
		case slots != s.slots:
			return fmt.Errorf("%w; run again", ErrResharded)
		}
		return nil
	})
}
