package record_test

import (
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	. "github.com/lanyardctl/lanyardctl/record"
)

// genNumber generates texts of numbers, such as DynamoDB and people write them.
func genNumber() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		text := rapid.SampledFrom([]string{"", "-", "+"}).Draw(t, "sign") + rapid.StringMatching(`[0-9]{1,38}`).Draw(t, "whole")
		if rapid.Bool().Draw(t, "fraction") {
			text += "." + rapid.StringMatching(`[0-9]{1,20}`).Draw(t, "digits")
		}
		if rapid.Bool().Draw(t, "power") {
			text += rapid.SampledFrom([]string{"e", "E"}).Draw(t, "e") + fmt.Sprint(rapid.IntRange(-150, 150).Draw(t, "exponent"))
		}
		return text
	})
}

func TestANumberIsReadExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := genNumber().Draw(t, "text")
		want, _ := new(big.Rat).SetString(text)
		v, ok := ParseDecimal(text)
		if !ok {
			t.Fatalf("%q is no number", text)
		}
		got, _ := new(big.Rat).SetString(string(JSON(v)))
		if got.Cmp(want) != 0 {
			t.Fatalf("%q is read as %v", text, v)
		}
		_, whole := v.(int64)
		if should := want.IsInt() && want.Num().IsInt64(); whole != should {
			t.Fatalf("%q is read as a %T", text, v)
		}
		if back, ok := ParseDecimal(string(JSON(v))); !ok || back != v {
			t.Fatalf("%v is read again as %v", v, back)
		}
		d, isDecimal := v.(Decimal)
		if !isDecimal {
			return
		}
		negative, digits, exponent := d.Parts()
		if again := NewDecimal(negative, digits, exponent); again != v || strings.Trim(digits, "0") != digits {
			t.Fatalf("%v has the parts %t %s %d", v, negative, digits, exponent)
		}
		if f, exact := d.Float(); exact {
			if new(big.Rat).SetFloat64(f).Cmp(want) != 0 {
				t.Fatalf("%v is not exactly %v", v, f)
			}
		}
	})
}

func TestNumbersOfOneValueHaveOneForm(t *testing.T) {
	for text, want := range map[string]Value{
		"0": int64(0), "-0": int64(0), "0.000": int64(0), "-0E5": int64(0), "1.0": int64(1), "1E3": int64(1000), "9223372036854775807": int64(math.MaxInt64),
		"9223372036854775808": Decimal("9223372036854775808"), "-9223372036854775808": int64(math.MinInt64), "1.50": Decimal("1.5"), "0.001": Decimal("0.001"),
		"15e-1": Decimal("1.5"), "1E-130": Decimal("1E-130"), "9.9E125": Decimal("9.9E125"), "1E20": Decimal("1E20"), "12000000000000000000000000": Decimal("1.2E25"),
		"99999999999999999999999999999999999999": Decimal("99999999999999999999999999999999999999"),
	} {
		if got, ok := ParseDecimal(text); !ok || got != want {
			t.Errorf("%s is %#v, want %#v", text, got, want)
		}
	}
	for _, text := range []string{"", "x", "NaN", "Infinity", "0x1", "1_0", "--1", "+-1", "-+1", "1e", "1.", ".5", " 1", "1E1000000", "1e99999999999999999999"} {
		if v, ok := ParseDecimal(text); ok {
			t.Errorf("%q is read as %v", text, v)
		}
	}
}

// TestEqualNumbersHaveOneDigest compares numbers of all types.
func TestEqualNumbersHaveOneDigest(t *testing.T) {
	number := rapid.Custom(func(t *rapid.T) Value {
		v, _ := ParseDecimal(rapid.SampledFrom([]string{"1.5", "15e-1", "0.1", "1e20", "100000000000000000000", "7", "9007199254740993.5"}).Draw(t, "number"))
		if f := rapid.SampledFrom([]float64{0, 1.5, 0.1, 1e20, 7}).Draw(t, "float"); f != 0 {
			return f
		}
		return v
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := number.Draw(t, "a"), number.Draw(t, "b")
		if Equal(a, b) != Equal(b, a) || Equal(a, b) != (ValueDigest(a) == ValueDigest(b)) {
			t.Fatalf("%v and %v: equal %t", a, b, Equal(a, b))
		}
		x, _ := new(big.Rat).SetString(string(JSON(a)))
		y, _ := new(big.Rat).SetString(string(JSON(b)))
		exact := func(v Value, r *big.Rat) *big.Rat {
			if f, ok := v.(float64); ok {
				return new(big.Rat).SetFloat64(f)
			}
			return r
		}
		if want := exact(a, x).Cmp(exact(b, y)) == 0; Equal(a, b) != want {
			t.Fatalf("%v and %v: equal %t, want %t", a, b, Equal(a, b), want)
		}
	})
}
