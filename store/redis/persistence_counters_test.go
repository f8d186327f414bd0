package redis_test

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"testing"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/redis"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

func TestCountersAndTheNoteChangeTogether(t *testing.T) {
	inEach(t, func(t *testing.T, w world) {
		const writers, each = 6, 15
		var all sync.WaitGroup
		for range writers {
			all.Go(func() {
				for range each {
					err := w.UpdateCounters(t.Context(), func(held record.Entry, note []byte) (map[string]record.Value, []byte, error) {
						n, _ := held.Fields["n"].(int64)
						f, _ := held.Fields["f"].(float64)
						noted, _ := strconv.ParseInt(string(note), 10, 64)
						if noted != n || (note == nil) != (n == 0) {
							t.Errorf("the counter is %d, and the note %q", n, note)
						}
						return map[string]record.Value{"n": n + 1, "f": f + 0.5}, strconv.AppendInt(nil, n+1, 10), nil
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		want := map[string]string{"n": fmt.Sprint(writers * each), "f": fmt.Sprintf("%.1f", writers*each*0.5)}
		if got := w.client.HGetAll(t.Context(), "lanyard:metrics_v1").Val(); !maps.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		if err := w.UpdateCounters(t.Context(), func(record.Entry, []byte) (map[string]record.Value, []byte, error) { return nil, nil, nil }); err != nil {
			t.Error(err)
		}
		if n := w.client.Exists(t.Context(), layout.CountersNote).Val(); n != 0 {
			t.Error("the note is still there")
		}
		boom := errors.New("boom")
		if err := w.UpdateCounters(t.Context(), func(record.Entry, []byte) (map[string]record.Value, []byte, error) { return nil, nil, boom }); err != boom {
			t.Error(err)
		}
		if err := w.UpdateCounters(t.Context(), func(record.Entry, []byte) (map[string]record.Value, []byte, error) {
			return map[string]record.Value{"n": int64(-1)}, nil, nil
		}); err == nil {
			t.Error("a negative counter was written")
		}
	})
}

func TestAMigrationIgnoresTheNoteOfTheCounters(t *testing.T) {
	srv := redisserver.Start(t)
	s := open(t, redis.Options{URI: srv.URI})
	err := s.Persistence().UpdateCounters(t.Context(), func(record.Entry, []byte) (map[string]record.Value, []byte, error) {
		return map[string]record.Value{"lanyard_messages_inbound": int64(1)}, []byte("note"), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r := readAll(t, s.Source(redis.SourceOptions{}))
	if want := (record.KeyCounts{Keys: 2, Lanyard: 1, Ignored: 1}); r.seen != want || len(r.items) != 1 || len(r.items[0].Rejects) != 0 {
		t.Errorf("%+v, items %+v", r.seen, r.items)
	}
}
