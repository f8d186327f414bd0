package record

import (
	"strconv"
	"strings"
)

// decimal reports whether s is a decimal number: digits with an optional sign, fraction and exponent. It is stricter
// than [strconv.ParseFloat], which also takes NaN, inf, hexadecimal digits and underscores.
func decimal(s string) (ok, integer bool) {
	s = unsigned(s)
	rest := strings.TrimLeft(s, "0123456789")
	if len(rest) == len(s) {
		return false, false
	}
	integer = rest == ""
	if strings.HasPrefix(rest, ".") {
		fraction := rest[1:]
		rest = strings.TrimLeft(fraction, "0123456789")
		if len(rest) == len(fraction) {
			return false, false
		}
	}
	if strings.HasPrefix(rest, "e") || strings.HasPrefix(rest, "E") {
		exponent := unsigned(rest[1:])
		rest = strings.TrimLeft(exponent, "0123456789")
		if len(rest) == len(exponent) {
			return false, false
		}
	}
	return rest == "", integer
}

// unsigned returns s without the sign that it begins with, if any.
func unsigned(s string) string {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		return s[1:]
	}
	return s
}

// ParseNumber reads decimal text: an integer within int64 as int64, any other number as float64. It reports false for
// text that is no decimal number, and an infinity for one that is beyond float64.
func ParseNumber(s string) (Value, bool) {
	ok, integer := decimal(s)
	if !ok {
		return nil, false
	}
	if integer {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n, true
		}
	}
	f, _ := strconv.ParseFloat(s, 64) // what fails is beyond float64
	return f, true
}
