package record_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	. "github.com/lanyardctl/lanyardctl/record"
)

func fieldsOf(values map[string]Value) map[string]Field {
	fields := make(map[string]Field)
	for name, v := range values {
		fields[name] = Field{Value: v, Origin: Origin{Key: "remember/x", Raw: string(JSON(v))}}
	}
	return fields
}

func TestEveryTableIsDescribed(t *testing.T) {
	if BotTables.Len() != 8 || LanyardKinds&BotTables != 0 || Tables()&BotTables != BotTables {
		t.Errorf("%s beside %s", BotTables, LanyardKinds)
	}
	collections := make(map[string]bool)
	for _, kind := range BotTables.List() {
		table, ok := kind.Table()
		if !ok || table.Name != kind.String() || len(table.Keys) == 0 || len(table.Attributes) == 0 || !kind.Named() || !kind.Identified() || kind.Ordered() {
			t.Errorf("%s is %+v", kind, table)
		}
		c := CollectionOf(kind)
		if back, ok := c.Kind(); c.String() != table.Collection || collections[c.String()] || !ok || back != kind {
			t.Errorf("%s is in %s", kind, c)
		}
		collections[c.String()] = true
	}
	if _, ok := KV.Table(); ok {
		t.Error("key-value pairs are a table")
	}
}

// TestOtherTablesAreKinds defines one: there is room for a few in a process.
func TestOtherTablesAreKinds(t *testing.T) {
	kind, err := DefineTable("orders", "orders_copy")
	if err != nil || kind.String() != "orders" || CollectionOf(kind).String() != "orders_copy" || !Tables().Has(kind) || BotTables.Has(kind) {
		t.Fatalf("%s, %v", kind, err)
	}
	if again, err := DefineTable("orders", "orders_copy"); err != nil || again != kind {
		t.Errorf("%s, %v", again, err)
	}
	other, err := DefineTable("orders2", "orders2")
	if err != nil || other == kind {
		t.Fatalf("%s, %v", other, err)
	}
	r := Record{Kind: kind, Name: NameOf("7"), Fields: fieldsOf(map[string]Value{"id": int64(7)})}
	twin := r
	twin.Kind = other
	if r.Digest() == twin.Digest() {
		t.Error("items of two tables have one digest")
	}
}

// TestNoTwoItemsHaveOneName draws keys of few characters, which are most likely to collide.
func TestNoTwoItemsHaveOneName(t *testing.T) {
	keys := []Attribute{{Name: "a", Type: TextType}, {Name: "b", Type: TextType}}
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.StringMatching(`[%/2F5]{1,6}`)
		draw := func(who string) map[string]Value {
			return map[string]Value{"a": part.Draw(t, who+" a"), "b": part.Draw(t, who+" b")}
		}
		one, two := draw("one"), draw("two")
		x, errX := ItemName(keys, fieldsOf(one))
		y, errY := ItemName(keys, fieldsOf(two))
		if errX != nil || errY != nil || (x == y) != Equal(Object(one), Object(two)) {
			t.Fatalf("%v and %v are %s and %s: %v %v", one, two, x, y, errX, errY)
		}
	})
	for _, values := range []map[string]Value{{}, {"a": "x"}, {"a": int64(1), "b": "x"}, {"a": nil, "b": "x"}, {"a": 1.5, "b": "x"}} {
		if name, err := ItemName(keys, fieldsOf(values)); err == nil {
			t.Errorf("%v is named %s", values, name)
		}
	}
	table, _ := Remember.Table()
	if name, err := ItemName(table.Keys, fieldsOf(map[string]Value{"discord_server_id": int64(81384788765712384), "rem_key": "50%/x"})); err != nil || name.String() != "81384788765712384/50%25%2Fx" {
		t.Errorf("%s, %v", name, err)
	}
}

func TestASetHasOneForm(t *testing.T) {
	a, okA := NewSet(NumberSetType, []Value{int64(3), Decimal("1.5"), int64(-1)})
	b, okB := NewSet(NumberSetType, []Value{int64(-1), int64(3), Decimal("1.5")})
	if !okA || !okB || !Equal(a, b) || ValueDigest(a) != ValueDigest(b) || !slices.Equal(a.Members, Array{int64(-1), Decimal("1.5"), int64(3)}) {
		t.Errorf("%v and %v", a, b)
	}
	if Equal(a, a.Members) || ValueDigest(a) == ValueDigest(a.Members) {
		t.Error("a set is a list")
	}
	for _, members := range [][]Value{{"x", "x"}, {int64(1), "x"}, {nil}, {1.5}} {
		if set, ok := NewSet(TextSetType, members); ok {
			t.Errorf("%v is taken for %v", members, set)
		}
	}
}

func TestAnItemIsMergedAsAWhole(t *testing.T) {
	r := Record{Kind: Remember, Name: NameOf("1/x"), Fields: fieldsOf(map[string]Value{"rem_key": "x", "rem_value": "new", "more": int64(1)})}
	stands := Existing{Held: Held{Found: true, Fields: map[string]Value{"rem_key": "x", "rem_value": "old"}}}
	for policy, want := range map[Policy]Decision{
		FailOnConflict: {Status: Conflicted, Conflicts: 1},
		PreferTarget:   {Status: Unchanged, Kept: 1},
		PreferSource:   {Status: Updated, Write: true},
	} {
		d := Merge(r, stands, Bounds{}, policy)
		if d.Status != want.Status || d.Write != want.Write || d.Conflicts != want.Conflicts || d.Kept != want.Kept || d.Write != (len(d.Set) == 2) || len(d.Unset) > 0 {
			t.Errorf("%s: %+v", policy, d)
		}
		if found := Compare(r, Document{Kind: Remember, Named: true, Name: r.Name, Held: stands.Held}, CompareOptions{Policy: policy, Now: now}).Differences; (len(found) == 0) != (policy == PreferTarget) {
			t.Errorf("%s: %v", policy, found)
		}
	}
	ours := stands
	ours.Unmodified = true
	if d := Merge(r, ours, Bounds{}, FailOnConflict); d.Status != Updated || d.Mark != r.Digest().String() {
		t.Errorf("%+v", d)
	}
}

func TestAnItemIsHeldAsAWhole(t *testing.T) {
	item := func(values map[string]Value) Item {
		return Item{Kind: Remember, Record: &Record{Kind: Remember, Name: NameOf("1/x"), Fields: fieldsOf(values)}}
	}
	limits := Limits{Server: "FerretDB", Named: true, NoDecimals: true, NoNestedArray: true}
	set, _ := NewSet(TextSetType, []Value{"a"})
	for name, tc := range map[string]struct {
		values map[string]Value
		limits Limits
		reason Reason
	}{
		"all is well":           {map[string]Value{"a": int64(1), "b": "x"}, limits, ""},
		"a decimal":             {map[string]Value{"a": Decimal("1.5"), "b": "x"}, limits, NumberOutOfRange},
		"a decimal deep inside": {map[string]Value{"a": Object{"x": Array{Decimal("1.5")}}, "b": "x"}, limits, NumberOutOfRange},
		"a decimal elsewhere":   {map[string]Value{"a": Decimal("1.5")}, Limits{Named: true}, ""},
		"a set in a list":       {map[string]Value{"a": Array{set}}, limits, RefusedByTarget},
		"an _id":                {map[string]Value{"_id": "x", "b": "x"}, limits, InvalidFieldName},
		"a point":               {map[string]Value{"a.b": "x"}, Limits{Named: true}, InvalidFieldName},
		"users alone":           {map[string]Value{"a": "x"}, Limits{}, RefusedByTarget},
	} {
		it := tc.limits.Apply(item(tc.values))
		switch {
		case tc.reason == "":
			if it.Record == nil || len(it.Rejects) > 0 {
				t.Errorf("%s: %+v", name, it)
			}
		case it.Record != nil || len(it.Rejects) != len(tc.values) || it.Rejects[0].Reason != tc.reason || it.Rejects[0].Name != NameOf("1/x"):
			t.Errorf("%s: %+v", name, it)
		}
	}
	long := Limits{Named: true}.Apply(item(map[string]Value{"a": Decimal("12345678901234567890123456789012345678")}))
	if long.Record == nil || !slices.Equal(long.Notes, []Note{AsText}) {
		t.Errorf("%+v", long)
	}
}
