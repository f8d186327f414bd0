package record

import (
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// Decimal is a finite decimal number that no int64 holds, in the one form that [ParseDecimal] gives it: digits without
// needless zeros, with a point where that is short, else with one digit before it and an exponent, such as "1.5" or "-3E-130".
// Two are the same number where they are equal by ==.
type Decimal string

// ParseDecimal reads decimal text exactly: a whole number within int64 as int64, any other as [Decimal]. It reports false for
// text that is no decimal number, and for an exponent of more digits than any database has.
func ParseDecimal(s string) (Value, bool) {
	if ok, _ := decimal(s); !ok {
		return nil, false
	}
	negative, digits, exponent, ok := splitDecimal(s)
	if !ok {
		return nil, false
	}
	return NewDecimal(negative, digits, exponent), true
}

// splitDecimal returns all digits of a decimal number, and the power of ten that they are times. It reports false where
// [maxExponent] forbids the exponent in the text.
func splitDecimal(s string) (negative bool, digits string, exponent int, ok bool) {
	mantissa, power, _ := strings.Cut(strings.ToUpper(s), "E")
	exponent, _ = strconv.Atoi(power) // zero for none, and the farthest for one that no int holds
	whole, fraction, _ := strings.Cut(unsigned(mantissa), ".")
	ok = exponent >= -maxExponent && exponent <= maxExponent
	return strings.HasPrefix(s, "-"), whole + fraction, exponent - len(fraction), ok
}

// maxExponent bounds what is read. That of BSON's decimals is 6,144, that of DynamoDB's numbers 125.
const maxExponent = 100_000

// NewDecimal returns the number of the decimal digits, times ten to the power of the exponent.
func NewDecimal(negative bool, digits string, exponent int) Value {
	digits = strings.TrimLeft(digits, "0")
	if digits == "" {
		return int64(0)
	}
	short := strings.TrimRight(digits, "0")
	exponent += len(digits) - len(short)
	sign := ""
	if negative {
		sign = "-"
	}
	const longest = 19 // digits of an int64
	if exponent >= 0 && len(short)+exponent <= longest {
		if n, err := strconv.ParseInt(sign+short+strings.Repeat("0", exponent), 10, 64); err == nil {
			return n
		}
	}
	return Decimal(sign + shownDecimal(short, exponent))
}

// shownDecimal returns the text of digits that do not end in zero.
func shownDecimal(digits string, exponent int) string {
	const few = 6 // zeros that are written out
	point := len(digits) + exponent
	switch {
	case exponent >= 0 && exponent <= few:
		return digits + strings.Repeat("0", exponent)
	case exponent < 0 && point > 0:
		return digits[:point] + "." + digits[point:]
	case exponent < 0 && point > -few:
		return "0." + strings.Repeat("0", -point) + digits
	}
	text := digits[:1]
	if len(digits) > 1 {
		text += "." + digits[1:]
	}
	return text + "E" + strconv.Itoa(point-1)
}

// Parts returns the number's digits, which neither begin nor end with a zero, and the power of ten that they are times.
func (d Decimal) Parts() (negative bool, digits string, exponent int) {
	negative, digits, exponent, _ = splitDecimal(string(d))
	digits = strings.TrimLeft(digits, "0")
	short := strings.TrimRight(digits, "0")
	return negative, short, exponent + len(digits) - len(short)
}

// Float returns the number as a float64, and whether that is exactly it.
func (d Decimal) Float() (f float64, exact bool) {
	const longest = 400 // no float64 has more digits before its point
	if _, digits, exponent := d.Parts(); len(digits)+exponent > longest || exponent < -longest {
		return 0, false
	}
	r, ok := new(big.Rat).SetString(string(d))
	if !ok {
		return 0, false
	}
	return r.Float64()
}

// DecimalOf returns the number that people mean by f, which is finite: f itself where it is a whole number within int64, such as
// an id that somebody typed; else the shortest one that f is the nearest float64 of, such as 0.1.
func DecimalOf(f float64) Value {
	if n, whole := wholeNumber(f); whole {
		return n
	}
	n, _ := ParseDecimal(strconv.FormatFloat(f, 'E', -1, 64))
	return n
}

// DecimalDigits is how many digits a decimal of BSON holds (IEEE 754-2008, decimal128). A number of DynamoDB's has up to 38.
const DecimalDigits = 34

// hasLongDecimal reports whether the record holds a number of more than [DecimalDigits].
func (r *Record) hasLongDecimal() bool {
	for _, f := range r.Fields {
		if longDecimal(f.Value) {
			return true
		}
	}
	return false
}

func longDecimal(v Value) bool {
	switch v := v.(type) {
	case Decimal:
		_, digits, _ := v.Parts()
		return len(digits) > DecimalDigits
	case Array:
		return slices.ContainsFunc(v, longDecimal)
	case Set:
		return longDecimal(v.Members)
	case Object:
		for _, e := range v {
			if longDecimal(e) {
				return true
			}
		}
	}
	return false
}

// ratOf returns an int64 or a [Decimal].
func ratOf(v Value) *big.Rat {
	r, _ := new(big.Rat).SetString(string(JSON(v)))
	return r
}
