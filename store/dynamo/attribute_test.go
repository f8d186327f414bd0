package dynamo

import (
	"encoding/json"
	"math/big"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/record"
)

// attributes generates values of all of DynamoDB's types.
func attributes(depth int) *rapid.Generator[record.Value] {
	number := rapid.OneOf(
		rapid.Map(rapid.Int64(), func(n int64) record.Value { return n }),
		rapid.SampledFrom([]record.Value{
			record.Decimal("1E-130"), record.Decimal("-1E-130"), record.Decimal("9.9999999999999999999999999999999999999E125"),
			record.Decimal("9.9E125"), record.Decimal("12345678901234567890123456789012345678"), record.Decimal("0.1"), int64(0),
		}),
		rapid.Custom(func(t *rapid.T) record.Value {
			digits := rapid.StringMatching(`[1-9][0-9]{0,37}`).Draw(t, "digits")
			return record.NewDecimal(rapid.Bool().Draw(t, "negative"), digits, rapid.IntRange(-130, 125-len(digits)+1).Draw(t, "exponent"))
		}),
	)
	text := rapid.Map(rapid.String(), func(s string) record.Value { return s })
	binary := rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) record.Value { return record.Binary(b) })
	setOf := func(t record.AttributeType, member *rapid.Generator[record.Value]) *rapid.Generator[record.Value] {
		members := rapid.SliceOfNDistinct(member, 1, 5, func(v record.Value) string { return string(record.JSON(v)) })
		return rapid.Map(members, func(list []record.Value) record.Value {
			set, _ := record.NewSet(t, list)
			return set
		})
	}
	all := []*rapid.Generator[record.Value]{
		number, text, binary, rapid.SampledFrom([]record.Value{nil, true, false, "", record.Binary(""), record.Array{}, record.Object{}}),
		setOf(record.TextSetType, text), setOf(record.NumberSetType, number), setOf(record.BinarySetType, binary),
		rapid.Map(rapid.IntRange(1, maxDepth), nested),
	}
	if depth > 0 {
		inner := attributes(depth - 1)
		all = append(all,
			rapid.Map(rapid.SliceOfN(inner, 0, 4), func(list []record.Value) record.Value { return append(record.Array{}, list...) }),
			rapid.Map(rapid.MapOfN(rapid.StringN(1, 8, -1), inner, 0, 4), func(m map[string]record.Value) record.Value { return record.Object(m) }))
	}
	return rapid.OneOf(all...)
}

// nested returns a value in as many lists and maps.
func nested(depth int) record.Value {
	var v record.Value = int64(7)
	for i := range depth {
		if i%2 == 0 {
			v = record.Object{"in": v}
		} else {
			v = record.Array{v}
		}
	}
	return v
}

func TestAValueIsTheAttributeThatHoldsIt(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := attributes(3).Draw(t, "value")
		a, ok := attributeOf(v)
		if !ok {
			t.Fatalf("no attribute holds %s", record.JSON(v))
		}
		if got, err := valueOf(a); err != nil || !reflect.DeepEqual(got, v) {
			t.Fatalf("%s became %s: %v", record.JSON(v), record.JSON(got), err)
		}
		if wire := appendWire(nil, a); !json.Valid(wire) {
			t.Fatalf("no JSON: %s", wire)
		}
	})
}

// TestAServerGivesBackWhatItWasGiven has the same law hold with a server in between.
func TestAServerGivesBackWhatItWasGiven(t *testing.T) {
	t.Parallel()
	client := serve(t, kinds(record.BotData)).Client(t)
	table := "botdata"
	rapid.Check(t, func(t *rapid.T) {
		v := attributes(2).Draw(t, "value")
		a, _ := attributeOf(v)
		key := item{"key": attrS("k")}
		if _, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item{"key": attrS("k"), "value": a}}); err != nil {
			t.Fatalf("put %s: %v", appendWire(nil, a), err)
		}
		out, err := client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &table, Key: key})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := valueOf(out.Item["value"]); err != nil || !reflect.DeepEqual(got, v) {
			t.Fatalf("%s became %s: %v", appendWire(nil, a), appendWire(nil, out.Item["value"]), err)
		}
	})
}

func TestANumberHasOneValueWhateverItsText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]record.Value{
		"-0": int64(0), "0.0": int64(0), "1.50": record.Decimal("1.5"), "1E2": int64(100), "00012": int64(12),
		"9223372036854775807": int64(9223372036854775807), "9223372036854775808": record.Decimal("9223372036854775808"),
	} {
		if got, err := valueOf(attrN(text)); err != nil || got != want {
			t.Errorf("%s became %v: %v", text, got, err)
		}
	}
	for _, text := range []string{"", "x", "1e", "NaN", "Infinity", "1E999999999"} {
		if v, err := valueOf(attrN(text)); err == nil || text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%q became %v: %v", text, v, err)
		}
	}
}

func TestWire(t *testing.T) {
	t.Parallel()
	a := &types.AttributeValueMemberM{Value: item{
		"t": attrS("a\"\n<ü"), "n": attrN("1.50"), "b": &types.AttributeValueMemberB{Value: []byte{0, 255}},
		"l":  &types.AttributeValueMemberL{Value: []types.AttributeValue{&types.AttributeValueMemberBOOL{}, &types.AttributeValueMemberNULL{Value: true}}},
		"ss": &types.AttributeValueMemberSS{Value: []string{"b", "a"}}, "ns": &types.AttributeValueMemberNS{Value: []string{"1"}},
		"bs": &types.AttributeValueMemberBS{Value: [][]byte{{1}}}, "e": &types.AttributeValueMemberM{}, "x": &types.UnknownUnionMember{Tag: "Z"},
	}}
	want := `{"M":{"b":{"B":"AP8="},"bs":{"BS":["AQ=="]},"e":{"M":{}},"l":{"L":[{"BOOL":false},{"NULL":true}]},"n":{"N":"1.50"},` +
		`"ns":{"NS":["1"]},"ss":{"SS":["b","a"]},"t":{"S":"a\"\n<ü"},"x":null}}`
	if got := string(appendWire(nil, a)); got != want {
		t.Errorf(" got %s\nwant %s", got, want)
	}
	if v, err := valueOf(a); err == nil {
		t.Errorf("a value of no type became %v", v)
	}
	if v, err := valueOf(&types.AttributeValueMemberNS{Value: []string{"1", "1.0"}}); err == nil {
		t.Errorf("a set with one number twice became %v", v)
	}
}

// FuzzNumber has any text be no number, or exactly the number that it says.
func FuzzNumber(f *testing.F) {
	f.Add("81384788765712384")
	f.Fuzz(func(t *testing.T, text string) {
		v, err := valueOf(attrN(text))
		if err != nil {
			return
		}
		a, ok := attributeOf(v)
		if !ok {
			t.Fatalf("no attribute holds %v", v)
		}
		again, err := valueOf(a)
		if err != nil || again != v {
			t.Fatalf("%q is %v, and that %v: %v", text, v, again, err)
		}
		if len(text) > 200 || strings.Contains(strings.ToUpper(text), "E") && len(text)-strings.IndexAny(text, "eE") > 5 {
			return // a fraction of so many digits takes long
		}
		want, ok := new(big.Rat).SetString(text)
		got, _ := new(big.Rat).SetString(a.(*types.AttributeValueMemberN).Value)
		if !ok || want.Cmp(got) != 0 {
			t.Fatalf("%q became %v", text, v)
		}
	})
}
