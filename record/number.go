package record

import (
	"math"
	"strconv"
	"strings"
)

// decimal reports whether s is a decimal number: digits with an optional sign, fraction and exponent. It is stricter
// than [strconv.ParseFloat], which also takes NaN, inf, hexadecimal digits and underscores.
func decimal(s string) (ok, integer bool) {
	s = strings.TrimLeft(s, "+-")
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
		exponent := rest[1:]
		if exponent != "" && (exponent[0] == '+' || exponent[0] == '-') {
			exponent = exponent[1:]
		}
		rest = strings.TrimLeft(exponent, "0123456789")
		if len(rest) == len(exponent) {
			return false, false
		}
	}
	return rest == "", integer
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
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return nil, false // two signs
	}
	return f, true
}

// ReservedCounter reports whether a field of the metrics document is no counter, but the document's own.
func ReservedCounter(name string) bool {
	switch name {
	case "_id", "type", "updated_at", WrittenField:
		return true
	}
	return false
}

// Counter reads a counter: an int64, a float64, or decimal text. A counter is a finite number from zero up, as the app
// stops at boot on anything else. The reason is empty where the counter is good.
func Counter(name string, v Value) (Value, Reason, string) {
	if ReservedCounter(name) {
		return nil, NotACounter, "the name is reserved for the document itself"
	}
	if text, ok := v.(string); ok {
		n, ok := ParseNumber(text)
		if !ok {
			return nil, NotACounter, "no decimal number"
		}
		v = n
	}
	switch n := v.(type) {
	case int64:
		if n < 0 {
			return nil, NotACounter, "negative"
		}
		return n, "", ""
	case float64:
		switch {
		case math.IsNaN(n) || math.IsInf(n, 0):
			return nil, NotACounter, "not finite"
		case n < 0:
			return nil, NotACounter, "negative"
		}
		return n + 0, "", "" // minus zero plus zero is zero
	}
	return nil, NotACounter, "no number"
}
