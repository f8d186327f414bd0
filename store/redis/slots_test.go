package redis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"

	"github.com/lanyardctl/lanyardctl/store/layout"
)

func TestTheSlotOfAKeyIsThatOfTheServer(t *testing.T) {
	t.Parallel()
	o, err := goredis.ParseURL(redisserver.Start(t, "--cluster-enabled", "yes").URI)
	if err != nil {
		t.Fatal(err)
	}
	c := goredis.NewClient(o)
	defer c.Close()
	keys := []string{"", "123456789", "{user}:a", "a{user}b", "{}a", "a{}", "{", "}{", "a{b", "{{a}}b", "{a}{b}", "lanyard_kv:94490510688792576", "\xff\x00{\xfe}"}
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		key := make([]byte, random.IntN(30))
		for i := range key {
			key[i] = "ab{}:\xff"[random.IntN(6)]
		}
		keys = append(keys, string(key))
	}
	cmds, err := c.Pipelined(context.Background(), func(pipe goredis.Pipeliner) error {
		for _, key := range keys {
			pipe.ClusterKeySlot(context.Background(), key)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, key := range keys {
		if want := cmds[i].(*goredis.IntCmd).Val(); int64(layout.Slot(key)) != want {
			t.Errorf("%q: %d, the server says %d", key, layout.Slot(key), want)
		}
	}
}

func TestSetsOfSlots(t *testing.T) {
	var a, b slotSet
	a.addRange("0-100")
	a.addRange("16383")
	b.addRange("50-16000")
	for _, none := range []string{"", "-", "16384", "0-16384", "x-5", "5-x", "-5", "9-8"} {
		b.addRange(none)
	}
	got := fmt.Sprint(a.count(), b.count(), a.and(b).count(), a.or(b).count(), a.without(b).count(), b.first(), slotSet{}.first(), allSlots.count())
	if want := "102 15951 51 16002 51 50 -1 16384"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if !a.has(16383) || a.has(101) || !a.has(100) {
		t.Error("the wrong slots")
	}
}

// TestWhoComesAfterWhom splits one node, joins two, and replaces one.
func TestWhoComesAfterWhom(t *testing.T) {
	of := func(name, slots string, keys int64) *node {
		var s share
		s.slots.addRange(slots)
		return newNode(nil, name, s, state{keys: keys, lasting: keys})
	}
	was := []*node{of("a", "0-99", 100), of("b", "100-199", 100), of("c", "200-299", 100), of("d", "300-399", 100)}
	now := []*node{of("e", "0-49", 40), of("f", "50-99", 55), of("g", "100-299", 190), of("h", "300-399", 0)}
	got := ""
	for _, g := range successions(was, now) {
		for _, n := range g.was {
			got += n.addr
		}
		got += "→"
		for _, n := range g.now {
			got += n.addr
		}
		got += fmt.Sprint(" ", (&Store{}).judgeSuccession(g) == nil, "; ")
	}
	if want := "d→h false; a→fe true; cb→g true; "; len(got) != len(want) {
		t.Errorf("%s, want %s", got, want)
	}
	if now[3].first.keys != 0 || (&Store{}).judgeSuccession(successions(was[:1], []*node{of("x", "0-99", 40)})[0]) == nil {
		t.Error("a node that lost most of its keys passes")
	}
	if (&Store{allowShrinking: true}).judgeSuccession(successions(was[:1], []*node{of("x", "0-99", 40)})[0]) != nil {
		t.Error("what is allowed fails")
	}
}
