package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/lanyardctl/lanyardctl/record"
)

// RunItems runs the laws of [record.Items], on those of [TestedTables] that exist and are empty when they are opened.
func RunItems(t *testing.T, open func(t testing.TB) record.Items) {
	ctx := context.Background()
	server := int64(81384788765712384)
	t.Run("an item is changed where it is what it was", func(t *testing.T) {
		items := open(t)
		replace := func(before, after *record.Record, want bool) {
			t.Helper()
			if done, err := items.Replace(ctx, before, after); err != nil || done != want {
				t.Errorf("done %v, want %v: %v", done, want, err)
			}
		}
		stands := func(want *record.Record) {
			t.Helper()
			got, err := items.Item(ctx, record.Remember, values{"discord_server_id": server, "rem_key": "meeting"})
			if err != nil || (got == nil) != (want == nil) || got != nil && exactText(*got) != exactText(*want) {
				t.Errorf("%+v stands, want %+v: %v", got, want, err)
			}
		}
		first, second, third := reminder(withoutDecimals(everyType())), reminder(values{"rem_value": "today"}), reminder(values{"rem_value": "now"})
		stands(nil)
		replace(&first, &second, false)
		replace(&first, nil, false)
		stands(nil)
		replace(nil, &first, true)
		stands(&first)
		replace(nil, &first, false)
		replace(nil, &second, false)
		replace(&second, &third, false)
		replace(&second, nil, false)
		stands(&first)
		replace(&first, &second, true)
		stands(&second)
		replace(&second, &second, true)
		replace(&first, nil, false)
		stands(&second)
		replace(&second, nil, true)
		stands(nil)
		replace(nil, &third, true)
		stands(&third)
	})
	t.Run("a partition is in the order of its sort keys", func(t *testing.T) {
		items := open(t)
		keys := []string{"a/b", "%", "~", "a", "Z", "é", "a%b", "aa", "/"}
		for _, partition := range []int64{server, 7, 8138478876571238, server + 1} {
			for _, key := range keys {
				r := Item(record.Remember, values{"discord_server_id": partition, "rem_key": key, "rem_value": "x"})
				if done, err := items.Replace(ctx, nil, &r); err != nil || !done {
					t.Fatalf("insert %q: %v %v", key, done, err)
				}
			}
		}
		read := func(kind record.Kind, partition record.Value) (records []record.Record) {
			t.Helper()
			err := items.Partition(ctx, kind, partition, func(page []record.Record) error {
				records = append(records, page...)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return records
		}
		var got []string
		for _, r := range read(record.Remember, server) {
			if r.Fields["discord_server_id"].Value != server {
				t.Errorf("%s is of another partition", itemText(r))
			}
			got = append(got, r.Fields["rem_key"].Value.(string))
		}
		slices.Sort(keys)
		if !slices.Equal(got, keys) {
			t.Errorf("%q, want %q", got, keys)
		}
		if none := read(record.Remember, int64(813)); len(none) > 0 {
			t.Errorf("%d items of a partition without any", len(none))
		}
		stop := errors.New("enough")
		if err := items.Partition(ctx, record.Remember, server, func([]record.Record) error { return stop }); err != stop {
			t.Errorf("%v, want what was returned", err)
		}
	})
	t.Run("a table without a sort key has partitions of one", func(t *testing.T) {
		items := open(t)
		r := Item(record.BotData, values{"key": "a/b", "value": "x"})
		if done, err := items.Replace(ctx, nil, &r); err != nil || !done {
			t.Fatal(done, err)
		}
		for key, want := range map[string]int{"a/b": 1, "a": 0} {
			n := 0
			err := items.Partition(ctx, record.BotData, key, func(page []record.Record) error {
				n += len(page)
				return nil
			})
			if err != nil || n != want {
				t.Errorf("%q has %d items, want %d: %v", key, n, want, err)
			}
		}
	})
	t.Run("a key of another type is an error", func(t *testing.T) {
		items := open(t)
		if r, err := items.Item(ctx, record.Remember, values{"discord_server_id": "7", "rem_key": "a"}); err == nil {
			t.Errorf("%+v", r)
		}
		if r, err := items.Item(ctx, record.Remember, values{"discord_server_id": int64(7)}); err == nil {
			t.Errorf("%+v", r)
		}
	})
}
