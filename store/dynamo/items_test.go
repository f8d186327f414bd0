package dynamo_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/dynamo"
	"github.com/lanyardctl/lanyardctl/store/storetest"
	"github.com/lanyardctl/lanyardctl/store/storetest/dynamoserver"
)

func TestConformanceOfItems(t *testing.T) {
	t.Parallel()
	storetest.RunItems(t, func(t testing.TB) record.Items { return newTarget(t).Items() })
}

func TestAnItemOfAnotherListIsNotReplaced(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	items := g.Items()
	replace := func(before, after *record.Record, want bool) {
		t.Helper()
		if done, err := items.Replace(t.Context(), before, after); err != nil || done != want {
			t.Errorf("replaced: %v, %v", done, err)
		}
	}
	half := reminder(1, "meeting", values{"rem_value": "today", "list": record.Array{"x", record.Object{"a": record.Decimal("0.5")}}})
	quarter := reminder(1, "meeting", values{"list": record.Array{"x", record.Object{"a": record.Decimal("0.25")}}})
	replace(nil, &half, true)
	replace(&quarter, nil, false)
	replace(&half, &half, true)
	replace(&half, &quarter, true)
	g.is(1, quarter)
	replace(&half, nil, false)
	replace(&quarter, nil, true)
}

func TestAnItemWithAnotherAttributeIsNotReplaced(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	all := reminder(1, "meeting", values{"rem_value": "tomorrow"})
	write(t, g.Sink(dynamo.SinkOptions{}), all)
	fewer := reminder(1, "meeting", nil)
	after := reminder(1, "meeting", values{"more": "x"})
	for _, to := range []*record.Record{&after, nil} {
		if done, err := g.Items().Replace(t.Context(), &fewer, to); err != nil || done {
			t.Errorf("%v, %v", done, err)
		}
	}
	large, larger := reminder(2, "large", many(400, "1")), reminder(2, "large", many(400, "2"))
	if done, err := g.Items().Replace(t.Context(), nil, &large); err != nil || !done {
		t.Errorf("%v, %v", done, err)
	}
	if _, err := g.Items().Replace(t.Context(), &large, &larger); !errors.Is(err, dynamo.ErrTooManyAttributes) {
		t.Errorf("%v", err)
	}
	g.is(1, all)
	g.is(2, large)
}

func TestAPartitionIsInOrder(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	var batch []record.Record
	const n = 40
	big := string(bytes.Repeat([]byte("x"), 100_000))
	for i := range n {
		batch = append(batch, said(1, fmt.Sprintf("%02d", n-i), big), said(2, fmt.Sprint(i), "x"))
	}
	write(t, g.Sink(dynamo.SinkOptions{}), batch...)
	var keys []string
	pages := 0
	err := g.Items().Partition(t.Context(), record.Remember, int64(1), func(page []record.Record) error {
		pages++
		for _, r := range page {
			keys = append(keys, r.Fields["rem_key"].Value.(string))
		}
		return nil
	})
	if err != nil || len(keys) != n || pages < 2 {
		t.Fatalf("%d items in %d pages, %v", len(keys), pages, err)
	}
	for i, key := range keys {
		if key != fmt.Sprintf("%02d", i+1) {
			t.Errorf("item %d is %s", i, key)
		}
	}
	stop := errors.New("stop")
	calls := 0
	if err := g.Items().Partition(t.Context(), record.Remember, int64(1), func([]record.Record) error { calls++; return stop }); err != stop || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

func TestAReplacementWhoseAnswerIsLostIsDone(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	proxy := dynamoserver.NewProxy(t, g.server)
	items := openAt(t, proxy.URI).Items()
	met := make(map[string]bool)
	proxy.Decide(func(c dynamoserver.Call) dynamoserver.Fault {
		if met[string(c.Body)] {
			return dynamoserver.None
		}
		met[string(c.Body)] = true
		return dynamoserver.CutAfter
	})
	one, two := said(1, "meeting", "tomorrow"), said(1, "meeting", "today")
	for _, change := range [][2]*record.Record{{nil, &one}, {&one, &two}, {&two, nil}} {
		if done, err := items.Replace(t.Context(), change[0], change[1]); err != nil || !done {
			t.Errorf("%v, %v", done, err)
		}
		if change[1] == nil {
			g.is(1)
		} else {
			g.is(1, *change[1])
		}
	}
}
