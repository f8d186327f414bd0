package redis

import (
	"context"
	"sort"
	"strconv"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// slotCount is the number of slots of every Cluster.
const slotCount = 16384

// slots is which master of a Cluster has which slots, as one of its nodes sees it.
type slots struct {
	layout string // to compare
	served int    // how many have a master
	moving bool   // one of the asked node is moving: a SCAN may then miss a key or meet it twice
}

func askSlots(ctx context.Context, c *goredis.Client) (slots, error) {
	text, err := c.ClusterNodes(ctx).Result()
	if err != nil {
		return slots{}, err
	}
	return parseNodes(text), nil
}

// parseNodes reads CLUSTER NODES: lines of id, address, flags, master, three numbers, state, and slots. A node shows
// slots that move as [slot->-id] or [slot-<-id] on its own line.
func parseNodes(text string) slots {
	const columns = 8
	var s slots
	var lines []string
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) <= columns {
			continue
		}
		owned := words[columns:]
		for _, w := range owned {
			if strings.HasPrefix(w, "[") {
				s.moving = true
				continue
			}
			s.served += slotsIn(w)
		}
		lines = append(lines, words[0]+" "+strings.Join(owned, " "))
	}
	sort.Strings(lines)
	s.layout = strings.Join(lines, "\n")
	return s
}

// slotsIn returns the number of slots in a range such as 0-5460 or 5461; zero for what is none.
func slotsIn(text string) int {
	first, last, isRange := strings.Cut(text, "-")
	a, err := strconv.Atoi(first)
	if err != nil {
		return 0
	}
	if !isRange {
		return 1
	}
	b, err := strconv.Atoi(last)
	if err != nil {
		return 0
	}
	return b - a + 1
}
