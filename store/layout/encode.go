package layout

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lanyardctl/lanyardctl/record"
)

// Encode returns the text of a field's value in a layout of hashes, from which the layout's own decoding makes the same
// again.
func (l Layout) Encode(v record.Value) (string, error) {
	text, err := l.AppendValue(nil, v)
	return string(text), err
}

// AppendValue appends [Layout.Encode] of v to b.
func (l Layout) AppendValue(b []byte, v record.Value) ([]byte, error) {
	switch l {
	case Counters:
		return appendCounter(b, v)
	case UpstreamKV:
		text, ok := v.(string)
		if !ok {
			return b, fmt.Errorf("keys %s hold texts alone", l.Key("<user>"))
		}
		if !utf8.ValidString(text) {
			return b, errors.New("the value is not valid UTF-8")
		}
		return append(b, text...), nil
	}
	if _, detail := record.RefusedByJSON(v); detail != "" {
		return b, errors.New(detail)
	}
	return record.AppendExactJSON(b, v), nil
}

// appendCounter appends a number as Elixir's to_string writes it: "12", "12.0", "1.0e16".
func appendCounter(b []byte, v record.Value) ([]byte, error) {
	if _, reason, detail := record.Counter("", v); reason != "" {
		return b, errors.New("no counter: " + detail)
	}
	switch n := v.(type) {
	case int64:
		return strconv.AppendInt(b, n, 10), nil
	case float64:
		if n != 0 && (n >= 1e16 || n < 1e-4) {
			mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(n, 'e', -1, 64), "e")
			number, _ := strconv.Atoi(exponent)
			return append(b, withPoint(mantissa)+"e"+strconv.Itoa(number)...), nil
		}
		return append(b, withPoint(strconv.FormatFloat(n, 'f', -1, 64))...), nil
	}
	return b, errors.New("no counter: a text")
}

func withPoint(number string) string {
	if strings.Contains(number, ".") {
		return number
	}
	return number + ".0"
}
