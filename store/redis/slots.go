package redis

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/store/layout"
)

const slotCount = layout.SlotCount

// slotSet is a set of slots.
type slotSet [slotCount / 64]uint64

// allSlots are those of a server that holds all keys.
var allSlots = func() (s slotSet) {
	for i := range s {
		s[i] = ^uint64(0)
	}
	return s
}()

func (s *slotSet) add(slot int)      { s[slot/64] |= 1 << (slot % 64) }
func (s *slotSet) has(slot int) bool { return s[slot/64]&(1<<(slot%64)) != 0 }

func (s slotSet) count() (n int) {
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

func (s slotSet) or(o slotSet) slotSet {
	for i := range s {
		s[i] |= o[i]
	}
	return s
}

func (s slotSet) and(o slotSet) slotSet {
	for i := range s {
		s[i] &= o[i]
	}
	return s
}

func (s slotSet) without(o slotSet) slotSet {
	for i := range s {
		s[i] &^= o[i]
	}
	return s
}

// first returns the first slot of a set that is not empty.
func (s slotSet) first() int {
	for i, word := range s {
		if word != 0 {
			return i*64 + bits.TrailingZeros64(word)
		}
	}
	return -1
}

// share is what one server of a Cluster has of the keys, as it says itself.
type share struct {
	id    string // of the node
	owner string // of the master whose slots they are, which is the node itself or the one that it is a replica of
	epoch int64  // of the owner's configuration: it grows when the owner takes slots, also those that it has had before
	slots slotSet

	// moving are those that are on their way from here or to here: a SCAN may miss their keys.
	moving slotSet
}

// undivided is the share of a server outside a Cluster.
var undivided = share{slots: allSlots}

// String tells shares apart.
func (s share) String() string {
	sum := sha256.New()
	_ = binary.Write(sum, binary.LittleEndian, []slotSet{s.slots, s.moving}) // no hash fails
	return fmt.Sprintf("%s@%d:%x", s.owner, s.epoch, sum.Sum(nil)[:8])
}

// askShare returns the share of the server that c is connected to.
func askShare(ctx context.Context, c *goredis.Client) (share, error) {
	text, err := c.ClusterNodes(ctx).Result()
	if err != nil {
		return share{}, err
	}
	return shareOf(parseNodes(text), func(n clusterNode) bool { return n.has("myself") })
}

var errNoShare = errors.New("the Cluster does not know the server")

// shareOf returns the share of the first of the nodes that is meant.
func shareOf(nodes []clusterNode, meant func(clusterNode) bool) (share, error) {
	for _, n := range nodes {
		if !meant(n) {
			continue
		}
		s := share{id: n.id, owner: n.id, epoch: n.epoch, slots: n.slots, moving: n.moving}
		for _, master := range nodes {
			if n.master == master.id {
				s.owner, s.epoch, s.slots, s.moving = master.id, master.epoch, master.slots, master.moving
			}
		}
		return s, nil
	}
	return share{}, errNoShare
}

// clusterNode is a line of CLUSTER NODES.
type clusterNode struct {
	id, master    string // master is a dash where there is none
	flags         []string
	epoch         int64
	slots, moving slotSet // a node shows what moves on its own line alone
}

func (n clusterNode) has(flag string) bool { return slices.Contains(n.flags, flag) }

// parseNodes reads CLUSTER NODES: lines of id, address, flags, master, ping, pong, epoch, state of the link, and slots.
func parseNodes(text string) []clusterNode {
	const columns = 8
	var nodes []clusterNode
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < columns {
			continue
		}
		n := clusterNode{id: words[0], flags: strings.Split(words[2], ","), master: words[3]}
		n.epoch, _ = strconv.ParseInt(words[6], 10, 64)
		for _, word := range words[columns:] {
			if slot, ok := strings.CutPrefix(word, "["); ok { // [slot->-id] goes, [slot-<-id] comes
				slot, _, _ = strings.Cut(slot, "-")
				n.moving.addRange(slot)
				continue
			}
			n.slots.addRange(word)
		}
		nodes = append(nodes, n)
	}
	return nodes
}

// addRange adds slots such as 0-5460 or 5461. It adds none for what is no range.
func (s *slotSet) addRange(text string) {
	from, to, isRange := strings.Cut(text, "-")
	if !isRange {
		to = from
	}
	first, err := strconv.ParseUint(from, 10, 16)
	last, err2 := strconv.ParseUint(to, 10, 16)
	if err != nil || err2 != nil || last >= slotCount {
		return
	}
	for slot := first; slot <= last; slot++ {
		s.add(int(slot))
	}
}
