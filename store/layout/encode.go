package layout

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lanyardctl/lanyardctl/record"
)

var (
	errNotUTF8 = errors.New("the value is not valid UTF-8")
	errTooDeep = errors.New("the value is nested deeper than 100")
)

// encodable returns why JSON cannot hold the value as it is. It stands in as many arrays and objects as depth says.
func encodable(v record.Value, depth int) error {
	switch v := v.(type) {
	case nil, bool, int64:
		return nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return errors.New("the number is not finite")
		}
		return nil
	case string:
		if !utf8.ValidString(v) {
			return errNotUTF8
		}
		return nil
	case record.Array:
		if depth == record.MaxDepth {
			return errTooDeep
		}
		for _, e := range v {
			if err := encodable(e, depth+1); err != nil {
				return err
			}
		}
		return nil
	case record.Object:
		if depth == record.MaxDepth {
			return errTooDeep
		}
		for name, e := range v {
			if !utf8.ValidString(name) {
				return errNotUTF8
			}
			if err := encodable(e, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return errors.New("the value has a type that JSON has not")
}

// encodeCounter returns a number as Elixir's to_string writes it: "12", "12.0", "1.0e16".
func encodeCounter(v record.Value) (string, error) {
	if _, reason, detail := record.Counter("", v); reason != "" {
		return "", errors.New("no counter: " + detail)
	}
	switch n := v.(type) {
	case int64:
		return strconv.FormatInt(n, 10), nil
	case float64:
		if n != 0 && (n >= 1e16 || n < 1e-4) {
			mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(n, 'e', -1, 64), "e")
			number, _ := strconv.Atoi(exponent)
			return withPoint(mantissa) + "e" + strconv.Itoa(number), nil
		}
		return withPoint(strconv.FormatFloat(n, 'f', -1, 64)), nil
	}
	return "", errors.New("no counter: a text")
}

func withPoint(number string) string {
	if strings.Contains(number, ".") {
		return number
	}
	return number + ".0"
}
