package storetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
)

// TestedTables are the kinds of which the suites of tables write items: with a number and a text for key, and with one of
// the two.
var TestedTables = record.Kinds(0).With(record.Remember).With(record.Play).With(record.BotData)

// TableTarget is a target of the [TestedTables] under test, with what a test needs besides.
type TableTarget struct {
	Sink        record.Sink
	Checkpoints record.Checkpoints
	Reader      record.TargetReader

	// Put replaces an item behind lanyardctl's back. The document's Fields are all attributes, those of the key among them.
	// A Mark in it is one that stands in the item and that somebody left where it was; with MarksBeside there is none.
	Put func(record.Kind, record.Name, mem.Document)

	// All returns all items of a kind by name, in the form of store/mem. With MarksBeside they need no Mark.
	All func(record.Kind) map[record.Name]mem.Document

	// Drop drops all tables, but for what holds the checkpoints.
	Drop func()

	// MarksBeside tells that what lanyardctl noted of an item stands beside it, and may be of several of the item's states.
	MarksBeside bool
}

// TableOptions are what a suite asks of a target of tables. The target must be empty when it is opened, but for what Before
// puts there before the sink is made. Its Sink has begun.
type TableOptions struct {
	Policy record.Policy
	DryRun bool
	Now    func() time.Time
	Before func(put func(record.Kind, record.Name, mem.Document))
}

// OpenTables opens a target of tables.
type OpenTables func(t testing.TB, o TableOptions) TableTarget

// MemTables opens the target that defines what a target of tables does.
func MemTables(_ testing.TB, o TableOptions) TableTarget {
	store := mem.New(mem.Options{
		Policy: o.Policy, DryRun: o.DryRun, Now: o.Now, Limits: record.Limits{MaxDocument: record.DefaultMaxDocument, Named: true},
	})
	put := func(kind record.Kind, name record.Name, d mem.Document) {
		store.PutAt(kind, record.Identity{Name: name}, d)
	}
	if o.Before != nil {
		o.Before(put)
	}
	return TableTarget{Sink: store, Checkpoints: store, Reader: store.Reader(), Put: put, Drop: store.Drop, All: func(kind record.Kind) map[record.Name]mem.Document {
		all := make(map[record.Name]mem.Document)
		for id, d := range store.Everything(kind) {
			all[id.Name] = d
		}
		return all
	}}
}

// RunTables runs the suite of tables on a target. What the target's limits refuse is not written to it.
func RunTables(t *testing.T, open OpenTables) {
	limits := open(t, TableOptions{Now: clock}).Sink.Limits()
	t.Run("rules", func(t *testing.T) { tableRules(t, open, limits) })
	t.Run("as in memory", func(t *testing.T) { tablesAsInMemory(t, open, limits) })
	t.Run("what was written is found again", func(t *testing.T) { itemsFoundAgain(t, open, limits) })
	t.Run("checkpoints", func(t *testing.T) {
		checkpoints(t, open(t, TableOptions{Now: clock}).plain(), reminder(values{"rem_value": "tomorrow"}))
	})
	t.Run("dry run", func(t *testing.T) { tableDryRun(t, open) })
	t.Run("an empty target holds nothing", func(t *testing.T) {
		target := open(t, TableOptions{Now: clock})
		checkItems(t, MemTables(t, TableOptions{Now: clock}), target)
		if got, want := target.Reader.Limits(), target.Sink.Limits(); got != want || !got.Named {
			t.Errorf("limits %+v, the sink has %+v", got, want)
		}
	})
	t.Run("reading back stops", func(t *testing.T) {
		target := open(t, TableOptions{Now: clock})
		var batch []record.Record
		for i := range 20 {
			batch = append(batch, Item(record.BotData, values{"key": fmt.Sprint(i), "value": "x"}))
		}
		write(t, target.plain(), batch)
		readerStops(t, target.Reader, record.BotData)
	})
}

// plain returns the target as far as it is like any other.
func (t TableTarget) plain() Target {
	return Target{Sink: t.Sink, Checkpoints: t.Checkpoints, Reader: t.Reader, Drop: t.Drop}
}

// heldBy returns what reports whether a target of the limits can hold an item.
func heldBy(limits record.Limits) func(record.Record) bool {
	return func(r record.Record) bool { return limits.Apply(record.Item{Kind: r.Kind, Record: &r}).Record != nil }
}

// Item returns the record of an item of one of the bot's tables. It panics where attributes of its key are missing.
func Item(kind record.Kind, attributes map[string]record.Value) record.Record {
	table, _ := kind.Table()
	r := record.Record{Kind: kind, Fields: make(map[string]record.Field, len(attributes))}
	for name, v := range attributes {
		r.Fields[name] = record.Field{Value: v}
	}
	var err error
	if r.Name, err = record.ItemName(table.Keys, r.Fields); err != nil {
		panic("storetest: " + err.Error())
	}
	for name, f := range r.Fields {
		f.Origin = record.Origin{Key: table.Name + "/" + r.Name.String(), Raw: string(record.JSON(f.Value))}
		r.Fields[name] = f
	}
	return r
}

// reminder returns an item with the attributes besides those of its key.
func reminder(attributes values) record.Record {
	all := values{"discord_server_id": int64(81384788765712384), "rem_key": "meeting"}
	maps.Copy(all, attributes)
	return Item(record.Remember, all)
}

// asPut returns an item as somebody else puts it.
func asPut(r record.Record) mem.Document {
	d := mem.Document{Fields: make(map[string]record.Value, len(r.Fields))}
	for name, f := range r.Fields {
		d.Fields[name] = f.Value
	}
	return d
}

// tableRule is a sequence of writes of one item, which somebody else may have put or change, and what has to come of it.
type tableRule struct {
	name    string
	policy  record.Policy
	before  values
	writes  []values // one batch each
	between values   // what somebody else puts after the first write
	columns []record.Status
	want    values
	lost    int  // superseded values of the last write
	foreign bool // in the end the item is not known as what lanyardctl wrote
}

const (
	digits34 = "1234567890123456789012345678901234" // as many as a Decimal128 has
	digits38 = "12345678901234567890123456789012345678"
)

func set(t record.AttributeType, members ...record.Value) record.Set {
	s, ok := record.NewSet(t, members)
	if !ok {
		panic("storetest: no set")
	}
	return s
}

// everyType is a value of every type, and odd ones.
func everyType() values {
	return values{
		"S": "tomorrow", "S empty": "", "S of JSON": `{"n":1664641326000000001}`, "S of digits": digits38, "S with NUL": "\x00",
		"N": int64(81384788765712384), "N zero": int64(0), "N min": int64(-1) << 63,
		"N short": record.Decimal("0.1"), "N half": record.Decimal("1.5"), "N 34": record.Decimal(digits34), "N 38": record.Decimal(digits38),
		"N tiny": record.Decimal("1E-130"), "N huge": record.Decimal("9.9E125"), "N negative": record.Decimal("-1.2345678901234567890123456789012345678E-100"),
		"B": record.Binary("\x00\xff"), "B empty": record.Binary(""), "BOOL": true, "NULL": nil,
		"L": record.Array{"a", int64(1), record.Object{"deep": set(record.TextSetType, "x")}, record.Decimal(digits38)}, "L empty": record.Array{},
		"M": record.Object{"a": record.Binary("b"), "ключ": nil, "0": record.Array{record.Decimal("-" + digits38)}}, "M empty": record.Object{},
		"SS": set(record.TextSetType, "b", "a", "ü"), "NS": set(record.NumberSetType, int64(2), record.Decimal("1.5"), record.Decimal(digits38), int64(-1)),
		"BS": set(record.BinarySetType, record.Binary("\xff"), record.Binary("a")), "32 deep": nested(32),
	}
}

// nested returns a value in as many objects and arrays.
func nested(depth int) record.Value {
	var v record.Value = set(record.NumberSetType, int64(7))
	for i := range depth {
		if i%2 == 0 {
			v = record.Object{"in": v}
		} else {
			v = record.Array{v}
		}
	}
	return v
}

var allTableRules = []tableRule{
	{
		name:    "an item is written once",
		writes:  []values{{"rem_value": "tomorrow"}, {"rem_value": "tomorrow"}},
		columns: []record.Status{record.Inserted, record.Unchanged}, want: values{"rem_value": "tomorrow"},
	},
	{
		name:    "values of every type are kept as they are",
		writes:  []values{everyType(), everyType()},
		columns: []record.Status{record.Inserted, record.Unchanged}, want: everyType(),
	},
	{
		name:    "values of every type but decimals are kept as they are",
		writes:  []values{withoutDecimals(everyType()), withoutDecimals(everyType())},
		columns: []record.Status{record.Inserted, record.Unchanged}, want: withoutDecimals(everyType()),
	},
	{
		name:    "what lanyardctl wrote follows the source, removed attributes too",
		writes:  []values{{"a": "1", "b": "2"}, {"a": "3"}, {"a": "3"}},
		columns: []record.Status{record.Inserted, record.Updated, record.Unchanged}, want: values{"a": "3"},
	},
	{
		name:    "an item without attributes but those of its key follows the source",
		writes:  []values{{"a": "1"}, {}, {"a": "2"}},
		columns: []record.Status{record.Inserted, record.Updated, record.Updated}, want: values{"a": "2"},
	},
	{
		name: "an item that somebody else changed stays as it is, as a whole", writes: []values{{"a": "1", "b": "2"}, {"a": "3", "b": "2", "c": "new"}},
		between: values{"a": "theirs", "b": "2", "d": "theirs"},
		columns: []record.Status{record.Inserted, record.Conflicted}, want: values{"a": "theirs", "b": "2", "d": "theirs"}, foreign: true,
	},
	{
		name: "an item that somebody else changed back follows the source", writes: []values{{"a": "1"}, {"b": "2"}}, between: values{"a": "1"},
		columns: []record.Status{record.Inserted, record.Updated}, want: values{"b": "2"}, lost: 1,
	},
	{
		name: "the source wins a conflict where told so", policy: record.PreferSource,
		before: values{"a": "theirs", "d": "theirs"}, writes: []values{{"a": "1", "b": "2"}, {"a": "1", "b": "2"}},
		columns: []record.Status{record.Updated, record.Unchanged}, want: values{"a": "1", "b": "2", "d": "theirs"}, foreign: true,
	},
	{
		name: "the target wins a conflict where told so, and the whole item", policy: record.PreferTarget,
		before: values{"a": "theirs", "d": "theirs"}, writes: []values{{"a": "1", "b": "2"}},
		columns: []record.Status{record.Unchanged}, want: values{"a": "theirs", "d": "theirs"}, lost: 1, foreign: true,
	},
	{
		name:   "what somebody else's item lacks is added",
		before: values{"a": "1", "d": "theirs"}, writes: []values{{"a": "1", "b": "2"}, {"a": "1"}},
		columns: []record.Status{record.Updated, record.Unchanged}, want: values{"a": "1", "b": "2", "d": "theirs"}, foreign: true,
	},
	{
		name:   "what is added to somebody else's item keeps its type, and so does what stands there",
		before: values{"theirs": set(record.TextSetType, "x"), "gone": set(record.NumberSetType, int64(1))},
		writes: []values{{"ours": set(record.NumberSetType, int64(1), int64(2)), "in": record.Array{record.Object{"b": set(record.BinarySetType, record.Binary("x"))}}}},
		want: values{
			"theirs": set(record.TextSetType, "x"), "gone": set(record.NumberSetType, int64(1)),
			"ours": set(record.NumberSetType, int64(1), int64(2)), "in": record.Array{record.Object{"b": set(record.BinarySetType, record.Binary("x"))}},
		},
		columns: []record.Status{record.Updated}, foreign: true,
	},
	{
		name:    "what is added to somebody else's item keeps its digits, and so does what stands there",
		before:  values{"theirs": record.Decimal(digits38)},
		writes:  []values{{"ours": record.Decimal("-" + digits38), "text": digits38}},
		want:    values{"theirs": record.Decimal(digits38), "ours": record.Decimal("-" + digits38), "text": digits38},
		columns: []record.Status{record.Updated}, foreign: true,
	},
	{
		name: "a set becomes a list, and a list a set",
		writes: []values{
			{"a": set(record.TextSetType, "x", "y"), "b": record.Array{int64(1)}}, {"a": record.Array{"x", "y"}, "b": set(record.NumberSetType, int64(1))},
		},
		columns: []record.Status{record.Inserted, record.Updated}, want: values{"a": record.Array{"x", "y"}, "b": set(record.NumberSetType, int64(1))}, lost: 2,
	},
	{
		name:    "a number becomes the text of its digits, and that a number",
		writes:  []values{{"a": record.Decimal(digits38), "b": digits38}, {"a": digits38, "b": record.Decimal(digits38)}},
		columns: []record.Status{record.Inserted, record.Updated}, want: values{"a": digits38, "b": record.Decimal(digits38)}, lost: 2,
	},
	{
		name:    "the last digit of a number counts",
		writes:  []values{{"a": record.Decimal("0." + digits34)}, {"a": record.Decimal("0." + digits34[:33] + "5")}},
		columns: []record.Status{record.Inserted, record.Updated}, want: values{"a": record.Decimal("0." + digits34[:33] + "5")}, lost: 1,
	},
	{
		name:   "a list is no set, a text no number, and no binary is a text",
		before: values{"a": record.Array{"x"}, "b": "1", "c": "x"}, writes: []values{{"a": set(record.TextSetType, "x"), "b": int64(1), "c": record.Binary("x")}},
		columns: []record.Status{record.Conflicted}, want: values{"a": record.Array{"x"}, "b": "1", "c": "x"}, foreign: true,
	},
	{
		name: "of a nested value a name alone changes", writes: []values{{"m": record.Object{"a": int64(1)}}, {"m": record.Object{"b": int64(1)}}},
		columns: []record.Status{record.Inserted, record.Updated}, want: values{"m": record.Object{"b": int64(1)}}, lost: 1,
	},
}

// withoutDecimals leaves out the attributes with numbers that no int64 holds, and numbers in two lists.
func withoutDecimals(attributes values) values {
	kept := make(values)
	for name, v := range attributes {
		if !strings.Contains(string(record.JSON(v)), digits38) && !isDecimal(v) {
			kept[name] = v
		}
	}
	return kept
}

func isDecimal(v record.Value) bool {
	_, is := v.(record.Decimal)
	return is
}

func tableRules(t *testing.T, open OpenTables, limits record.Limits) {
	for _, r := range allTableRules {
		t.Run(r.name, func(t *testing.T) {
			for _, attributes := range append(slices.Clone(r.writes), r.before) {
				if !heldBy(limits)(reminder(attributes)) {
					t.Skip("the target cannot hold it")
				}
			}
			name := reminder(nil).Name
			o := TableOptions{Policy: r.policy, Now: clock}
			if r.before != nil {
				o.Before = func(put func(record.Kind, record.Name, mem.Document)) {
					put(record.Remember, name, asPut(reminder(r.before)))
				}
			}
			target := open(t, o)
			var last written
			for i, attributes := range r.writes {
				last = write(t, target.plain(), []record.Record{reminder(attributes)})
				if got := last.Outcomes[0].Status; got != r.columns[i] {
					t.Errorf("write %d is counted in column %d, want %d", i, got, r.columns[i])
				}
				if i == 0 && r.between != nil {
					d := asPut(reminder(r.between))
					d.Mark = target.All(record.Remember)[name].Mark
					target.Put(record.Remember, name, d)
				}
			}
			if r.lost > 0 && len(last.Superseded) != r.lost {
				t.Errorf("the last write superseded %d values, want %d: %v", len(last.Superseded), r.lost, last.Superseded)
			}
			want := MemTables(t, TableOptions{Now: clock})
			d := asPut(reminder(r.want))
			if !r.foreign {
				d.Mark = reminder(r.want).Digest().String()
			}
			want.Put(record.Remember, name, d)
			target.MarksBeside = true // one of another state counts for nothing
			checkItems(t, want, target)
		})
	}
}

// checkItems compares a target and what it delivers with what it should hold.
func checkItems(t failer, want, target TableTarget) {
	t.Helper()
	CheckDigestsOf(t, target.Reader, TestedTables)
	for _, kind := range TestedTables.List() {
		all := want.All(kind)
		if d := cmp.Diff(itemLines(want, kind, !target.MarksBeside), itemLines(target, kind, !target.MarksBeside)); d != "" {
			t.Errorf("items of %s (-want +there):\n%s", kind, d)
		}
		held, got := make(map[string]string), make(map[string]string)
		for name, d := range all {
			held[name.String()] = heldText(heldIn(d, kind, record.Identity{Name: name}))
		}
		err := target.Reader.Read(context.Background(), kind, func(page []record.Document) error {
			for _, d := range page {
				if _, twice := got[d.Name.String()]; twice || d.Kind != kind || !d.Named || d.Numeric || d.User != 0 {
					t.Errorf("among those of %s, delivered before %v: %+v", kind, twice, d)
				}
				got[d.Name.String()] = heldText(d.Held)
			}
			return nil
		})
		if err != nil {
			t.Fatalf("read %s back: %v", kind, err)
		}
		if d := cmp.Diff(held, got); d != "" {
			t.Errorf("%s read back (-want +delivered):\n%s", kind, d)
		}
		if n, err := target.Reader.Count(context.Background(), kind); err != nil || n != int64(len(all)) {
			t.Errorf("%d items of %s are counted as %d: %v", len(all), kind, n, err)
		}
	}
}

// itemLines returns the items of a kind as text.
func itemLines(target TableTarget, kind record.Kind, marks bool) []string {
	var lines []string
	for name, d := range target.All(kind) {
		if !marks {
			d.Mark = ""
		}
		lines = append(lines, fmt.Sprintf("%q, mark %q: %#v", name, d.Mark, d.Fields))
	}
	slices.Sort(lines)
	return lines
}

// heldText tells what an item holds, and in which types. To compare such text takes a fraction of the time that nested values
// take.
func heldText(h record.Held) string {
	return fmt.Sprintf("found %v, unmodified %v, malformed %v: %#v", h.Found, h.Unmodified, h.Malformed, h.Fields)
}

func tableDryRun(t *testing.T, open OpenTables) {
	there := reminder(values{"a": "theirs"})
	put := func(put func(record.Kind, record.Name, mem.Document)) { put(there.Kind, there.Name, asPut(there)) }
	o := TableOptions{Now: clock, DryRun: true, Before: put}
	target, untouched := open(t, o), MemTables(t, o)
	got := write(t, target.plain(), []record.Record{
		reminder(values{"a": "1"}), there, reminder(values{"b": "1"}), Item(record.Play, values{"discord_server_id": int64(1), "stats": "{}"}),
	})
	for i, want := range []record.Status{record.Conflicted, record.Unchanged, record.Updated, record.Inserted} {
		if got.Outcomes[i].Status != want {
			t.Errorf("record %d is counted in column %d, want %d", i, got.Outcomes[i].Status, want)
		}
	}
	checkItems(t, untouched, target)
}

// tablesAsInMemory does random things to the target and to one in memory, and compares answers and contents after each.
func tablesAsInMemory(t *testing.T, open OpenTables, limits record.Limits) {
	items := genItems(TestedTables.List()...).Filter(heldBy(limits))
	rapid.Check(t, func(rt *rapid.T) {
		o := TableOptions{
			Policy: rapid.SampledFrom([]record.Policy{record.FailOnConflict, record.PreferSource, record.PreferTarget}).Draw(rt, "policy"), Now: clock,
		}
		before := rapid.SliceOfN(items, 0, 6).Draw(rt, "before")
		o.Before = func(put func(record.Kind, record.Name, mem.Document)) {
			for _, r := range before {
				put(r.Kind, r.Name, asPut(r))
			}
		}
		model, target := MemTables(t, o), open(t, o)
		states := make(marks)
		for step := range rapid.IntRange(1, 4).Draw(rt, "steps") {
			if rapid.Bool().Draw(rt, "somebody else") {
				r := items.Draw(rt, "put")
				d := asPut(r)
				if target.MarksBeside || rapid.Bool().Draw(rt, "in place") {
					d.Mark = model.All(r.Kind)[r.Name].Mark
				}
				model.Put(r.Kind, r.Name, d)
				if target.MarksBeside && states.recur(model) {
					return
				}
				target.Put(r.Kind, r.Name, d)
				checkItems(rt, model, target)
				continue
			}
			batch := rapid.SliceOfN(items, 1, 8).Draw(rt, "batch")
			want := write(t, model.plain(), batch)
			if target.MarksBeside && states.recur(model) {
				return
			}
			got := write(t, target.plain(), batch)
			if d := difference(want, got); d != "" {
				rt.Fatalf("step %d: answers differ from those in memory (-memory +target):\n%s", step, d)
			}
			checkItems(rt, model, target)
		}
	})
}

// marks are the digests that items had as lanyardctl wrote them, by kind and name.
type marks map[string]bool

// recur takes in the marks of all items, and reports whether an item that is not marked now says what lanyardctl wrote some
// time before: a target with marks beside may know that.
func (m marks) recur(model TableTarget) (recurs bool) {
	for _, kind := range TestedTables.List() {
		for name, d := range model.All(kind) {
			content := record.Record{Kind: kind, Name: name, Fields: make(map[string]record.Field)}
			for attribute, v := range d.Fields {
				content.Fields[attribute] = record.Field{Value: v}
			}
			digest := content.Digest().String()
			recurs = recurs || d.Mark != digest && m[digest]
			if d.Mark != "" {
				m[d.Mark] = true
			}
		}
	}
	return recurs
}

// itemsFoundAgain writes random items into an empty target: what stands there then is exactly what was written.
func itemsFoundAgain(t *testing.T, open OpenTables, limits record.Limits) {
	items := genItems(TestedTables.List()...).Filter(heldBy(limits))
	rapid.Check(t, func(rt *rapid.T) {
		target, want := open(t, TableOptions{Now: clock}), MemTables(t, TableOptions{Now: clock})
		batch := rapid.SliceOfNDistinct(items, 1, 12, itemText).Draw(rt, "batch")
		if d := difference(write(t, want.plain(), batch), write(t, target.plain(), batch)); d != "" {
			rt.Fatalf("answers differ from those in memory (-memory +target):\n%s", d)
		}
		checkItems(rt, want, target)
	})
}

// genAttribute generates values of every type of DynamoDB's, among them the odd ones that are in its bounds.
func genAttribute(depth int) *rapid.Generator[record.Value] {
	text := rapid.SampledFrom([]string{"", "tomorrow", "7", `{"n":1664641326000000001}`, "\x00", "ключ", digits38, "1E-130"})
	number := rapid.OneOf(
		rapid.Map(rapid.OneOf(rapid.Int64(), rapid.Int64Range(-3, 3)), func(n int64) record.Value { return n }),
		rapid.SampledFrom([]record.Value{
			record.Decimal("0.1"), record.Decimal("1.5"), record.Decimal(digits34), record.Decimal(digits38), record.Decimal("-" + digits38),
			record.Decimal("1E-130"), record.Decimal("-1E-130"), record.Decimal("9.9E125"), record.Decimal("18446744073709551616"),
		}),
		rapid.Custom(func(t *rapid.T) record.Value {
			digits := rapid.StringMatching("[1-9][0-9]{0,37}").Draw(t, "digits")
			return record.NewDecimal(rapid.Bool().Draw(t, "negative"), digits, rapid.IntRange(-130, 125-len(digits)).Draw(t, "exponent"))
		}),
	)
	binary := rapid.Map(rapid.SampledFrom([]string{"", "\x00\xff", "bytes"}), func(s string) record.Value { return record.Binary(s) })
	setOf := func(t record.AttributeType, member *rapid.Generator[record.Value]) *rapid.Generator[record.Value] {
		members := rapid.SliceOfNDistinct(member, 1, 4, func(v record.Value) string { return string(record.JSON(v)) })
		return rapid.Map(members, func(list []record.Value) record.Value { return set(t, list...) })
	}
	all := []*rapid.Generator[record.Value]{
		rapid.Map(text, func(s string) record.Value { return s }), number, binary, rapid.SampledFrom([]record.Value{nil, true, false}),
		setOf(record.TextSetType, rapid.SampledFrom([]record.Value{"a", "b", "ü", digits38})), setOf(record.NumberSetType, number),
		setOf(record.BinarySetType, rapid.SampledFrom([]record.Value{record.Binary("a"), record.Binary("\xff"), record.Binary("\x00")})),
		rapid.SampledFrom([]record.Value{record.Array{}, record.Object{}, nested(32)}),
	}
	if depth > 0 {
		inner := genAttribute(depth - 1)
		all = append(all,
			rapid.Map(rapid.SliceOfN(inner, 1, 3), func(list []record.Value) record.Value { return record.Array(list) }),
			rapid.Map(rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "0", "ключ", "x y"}), inner, 1, 3), func(m map[string]record.Value) record.Value { return record.Object(m) }))
	}
	return rapid.OneOf(all...)
}

// genItems generates items of the bot's tables, a few of each table, with attributes of every type of DynamoDB's.
func genItems(kinds ...record.Kind) *rapid.Generator[record.Record] {
	keys := map[record.AttributeType]*rapid.Generator[record.Value]{
		record.TextType:   rapid.SampledFrom([]record.Value{"meeting", "a/b", "a%2Fb"}),
		record.NumberType: rapid.SampledFrom([]record.Value{int64(81384788765712384), int64(7)}),
	}
	others := rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "tags", "ключ", "x y", "user_id", "type", "kv"}), genAttribute(3), 0, 4)
	return rapid.Custom(func(t *rapid.T) record.Record {
		kind := rapid.SampledFrom(kinds).Draw(t, "table")
		attributes := others.Draw(t, "attributes")
		table, _ := kind.Table()
		for _, key := range table.Keys {
			attributes[key.Name] = keys[key.Type].Draw(t, key.Name)
		}
		return Item(kind, attributes)
	})
}
