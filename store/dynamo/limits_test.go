package dynamo

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/lanyardctl/lanyardctl/record"
)

// botDatum returns an item of the table botdata with the attributes besides its key.
func botDatum(key string, attributes map[string]record.Value) record.Record {
	r := record.Record{Kind: record.BotData, Name: record.NameOf(key), Fields: map[string]record.Field{"key": {Value: key}}}
	for name, v := range attributes {
		r.Fields[name] = record.Field{Value: v}
	}
	return r
}

// limitsOf returns those of a store that knows the bot's keys.
func limitsOf(tables record.Kinds) record.Limits {
	s := &Store{tables: make(map[record.Kind]TableInfo)}
	for _, kind := range tables.List() {
		t, _ := kind.Table()
		s.tables[kind] = TableInfo{Kind: kind, Name: t.Name, Keys: t.Keys}
	}
	return s.Limits()
}

func TestWhatDynamoDBRefuses(t *testing.T) {
	t.Parallel()
	limits := limitsOf(kinds(record.BotData))
	digits := strings.Repeat("1234567890", 4)
	value := func(v record.Value) record.Record { return botDatum("k", map[string]record.Value{"v": v}) }
	decimal := func(text string) record.Record {
		v, ok := record.ParseDecimal(text)
		if !ok {
			t.Fatalf("%s is no number", text)
		}
		return value(v)
	}
	renamed := value("x")
	renamed.Name = record.NameOf("other")
	keyless := value("x")
	delete(keyless.Fields, "key")
	mistyped := value("x")
	mistyped.Fields["key"] = record.Field{Value: int64(1)}
	empty, _ := record.NewSet(record.TextSetType, nil)
	for name, c := range map[string]struct {
		r    record.Record
		want record.Reason
	}{
		"nothing odd":             {value("x"), ""},
		"38 digits":               {decimal(digits[:38]), ""},
		"39 digits":               {decimal(digits[:39]), record.NumberOutOfRange},
		"39 digits in a set":      {value(mustSet(t, record.NumberSetType, record.Decimal(digits[:39]))), record.NumberOutOfRange},
		"39 digits in a list":     {value(record.Array{record.Decimal(digits[:39])}), record.NumberOutOfRange},
		"the least":               {decimal("1E-130"), ""},
		"less than the least":     {decimal("9.9E-131"), record.NumberOutOfRange},
		"the most":                {decimal("9." + strings.Repeat("9", 37) + "E125"), ""},
		"more than the most":      {decimal("-1E126"), record.NumberOutOfRange},
		"not a number":            {value(math.NaN()), record.NumberOutOfRange},
		"infinite":                {value(math.Inf(-1)), record.NumberOutOfRange},
		"empty text and binary":   {value(record.Array{"", record.Binary("")}), ""},
		"an empty set":            {value(empty), record.RefusedByTarget},
		"a foreign type":          {value(record.Object{"a": record.Opaque{Type: 7}}), record.RefusedByTarget},
		"text that is none":       {value("\xff"), record.InvalidUTF8},
		"a name that is none":     {value(record.Object{"\xff": nil}), record.InvalidUTF8},
		"no name":                 {botDatum("k", map[string]record.Value{"": "x"}), record.InvalidFieldName},
		"32 deep":                 {value(nested(32)), ""},
		"33 deep":                 {value(nested(33)), record.TooDeep},
		"32 deep and empty":       {value(within(31, record.Array{})), ""},
		"33 deep and empty":       {value(within(32, record.Array{})), record.TooDeep},
		"33 deep and no name":     {value(within(32, record.Object{})), record.TooDeep},
		"400 KB":                  {value(strings.Repeat("x", maxItem-len("key")-len("k")-len("v"))), ""},
		"a byte more":             {value(strings.Repeat("x", maxItem-len("key")-len("k")-len("v")+1)), record.DocumentTooLarge},
		"an empty key":            {botDatum("", nil), record.InvalidItemKey},
		"a long key":              {botDatum(strings.Repeat("k", maxPartitionKey), nil), ""},
		"a longer key":            {botDatum(strings.Repeat("k", maxPartitionKey+1), nil), record.InvalidItemKey},
		"no key":                  {keyless, record.InvalidItemKey},
		"a key of another type":   {mistyped, record.InvalidItemKey},
		"the key of another item": {renamed, record.InvalidItemKey},
	} {
		field, reason, detail := limits.Items.Refuses(&c.r)
		if reason != c.want || (detail != "") != (reason != "") || strings.Contains(detail, digits[:39]) {
			t.Errorf("%s: %q %s (%s), want %q", name, field, reason, detail, c.want)
		}
		it := limits.Apply(record.Item{Kind: c.r.Kind, Record: &c.r})
		if (it.Record == nil) != (c.want != "") || len(it.Rejects) > 0 && it.Rejects[0].Reason != c.want {
			t.Errorf("%s: %+v", name, it)
		}
	}
}

// within returns v in as many lists.
func within(depth int, v record.Value) record.Value {
	for range depth {
		v = record.Array{v}
	}
	return v
}

func mustSet(t testing.TB, kind record.AttributeType, members ...record.Value) record.Set {
	t.Helper()
	set, ok := record.NewSet(kind, members)
	if !ok {
		t.Fatal("no set")
	}
	return set
}

// TestSizesAreThoseOfTheServer compares with where the server draws its line.
func TestSizesAreThoseOfTheServer(t *testing.T) {
	t.Parallel()
	client := serve(t, kinds(record.BotData)).Client(t)
	limits, table := limitsOf(kinds(record.BotData)), "botdata"
	for i, v := range []record.Value{
		"x", record.Binary("abc"), int64(0), int64(-7), int64(1000), int64(1234), int64(12345), record.Decimal("0.1"), record.Decimal("-12.34"), record.Decimal("1E-130"),
		record.Decimal("12345678901234567890123456789012345678"), nil, true, record.Array{}, record.Array{"a", int64(1)}, record.Object{"ab": nil, "c": record.Array{true}},
		mustSet(t, record.TextSetType, "a", "bc"), mustSet(t, record.NumberSetType, int64(1), int64(-22)), mustSet(t, record.BinarySetType, record.Binary("a")),
	} {
		r := botDatum(fmt.Sprint("k", i), map[string]record.Value{"v": v, "fill": ""})
		room := maxItem - itemSize(r.Fields)
		for _, more := range []int{0, 1} {
			r.Fields["fill"] = record.Field{Value: strings.Repeat("x", room+more)}
			it, _ := itemOf(r.Fields)
			_, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: it})
			if _, reason, _ := limits.Items.Refuses(&r); (reason != "") != (err != nil) || (err != nil) != (more > 0) {
				t.Errorf("%s with %d bytes more than there is room: refused as %q, the server says %v", record.JSON(v), more, reason, err)
			}
		}
	}
}
