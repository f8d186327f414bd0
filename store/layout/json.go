package layout

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/lanyardctl/lanyardctl/record"
)

// encoding/json cannot be used here: it turns half of a surrogate pair into U+FFFD without an error, and reports a
// value that is nested too deeply like one that is no JSON. The parser below can go once encoding/json/v2, which
// rejects half of a pair, is on by default.

// fault is why a text has no value.
type fault uint8

const (
	noFault    fault = iota
	outOfRange       // JSON, with a number that neither int64 nor float64 holds
	tooDeep          // JSON, nested deeper than record.MaxDepth, or anything that opens maxParseDepth brackets
	notJSON          // no JSON, or with half of a surrogate pair
)

// ParseJSON returns the value of a JSON text. What a number in it means is kept exactly, or refused, and so is an object in
// which a name stands twice.
func ParseJSON(text string) (record.Value, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("not UTF-8")
	}
	p := jsonParser{text: text}
	switch v, fault := p.parse(); fault {
	case outOfRange:
		return nil, errors.New("a number that neither 64 bits nor a double can hold exactly")
	case tooDeep:
		return nil, fmt.Errorf("nested deeper than %d", record.MaxDepth)
	case notJSON:
		return nil, errors.New("not JSON")
	default:
		if p.repeated {
			return nil, fmt.Errorf("the name %q stands twice in an object", p.repeatedName)
		}
		return v, nil
	}
}

// maxParseDepth is where the parser gives up: it recurses.
const maxParseDepth = 10_000

// parseJSON returns the value of a JSON text in valid UTF-8. Where a name stands twice in an object, the last wins.
func parseJSON(text string) (record.Value, fault) {
	p := jsonParser{text: text}
	return p.parse()
}

func (p *jsonParser) parse() (record.Value, fault) {
	p.space()
	v, ok := p.value(0)
	if p.gaveUp {
		return nil, tooDeep
	}
	p.space()
	switch {
	case !ok || p.pos != len(p.text):
		return nil, notJSON
	case p.deepest > record.MaxDepth:
		return nil, tooDeep
	case p.outOfRange:
		return nil, outOfRange
	}
	return v, noFault
}

// jsonParser parses RFC 8259. Its methods report false where the text at pos is not what they look for.
type jsonParser struct {
	text       string
	pos        int
	deepest    int
	outOfRange bool
	gaveUp     bool

	repeated     bool // a name stands twice in an object
	repeatedName string
}

func (p *jsonParser) space() {
	for p.pos < len(p.text) {
		switch p.text[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

// next consumes c and reports whether it was there.
func (p *jsonParser) next(c byte) bool {
	if p.pos < len(p.text) && p.text[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

func (p *jsonParser) literal(s string) bool {
	if len(p.text)-p.pos >= len(s) && p.text[p.pos:p.pos+len(s)] == s {
		p.pos += len(s)
		return true
	}
	return false
}

func (p *jsonParser) value(depth int) (record.Value, bool) {
	if p.pos == len(p.text) {
		return nil, false
	}
	switch p.text[p.pos] {
	case '"':
		return p.string()
	case '{':
		return p.object(depth + 1)
	case '[':
		return p.array(depth + 1)
	case 't':
		return true, p.literal("true")
	case 'f':
		return false, p.literal("false")
	case 'n':
		return nil, p.literal("null")
	}
	return p.number()
}

// enter consumes the bracket that opens an array or object at depth.
func (p *jsonParser) enter(depth int) bool {
	p.pos++
	p.deepest = max(p.deepest, depth)
	p.gaveUp = p.gaveUp || depth > maxParseDepth
	p.space()
	return !p.gaveUp
}

func (p *jsonParser) array(depth int) (record.Value, bool) {
	if !p.enter(depth) {
		return nil, false
	}
	list := record.Array{}
	if p.next(']') {
		return list, true
	}
	for {
		p.space()
		v, ok := p.value(depth)
		if !ok {
			return nil, false
		}
		list = append(list, v)
		p.space()
		if p.next(']') {
			return list, true
		}
		if !p.next(',') {
			return nil, false
		}
	}
}

func (p *jsonParser) object(depth int) (record.Value, bool) {
	if !p.enter(depth) {
		return nil, false
	}
	fields := record.Object{}
	if p.next('}') {
		return fields, true
	}
	for {
		p.space()
		name, ok := p.string()
		if !ok {
			return nil, false
		}
		p.space()
		if !p.next(':') {
			return nil, false
		}
		p.space()
		v, ok := p.value(depth)
		if !ok {
			return nil, false
		}
		if _, exists := fields[name]; exists {
			p.repeated, p.repeatedName = true, name
		}
		fields[name] = v
		p.space()
		if p.next('}') {
			return fields, true
		}
		if !p.next(',') {
			return nil, false
		}
	}
}

func (p *jsonParser) string() (string, bool) {
	if !p.next('"') {
		return "", false
	}
	start := p.pos
	for p.pos < len(p.text) {
		switch c := p.text[p.pos]; {
		case c == '"':
			p.pos++
			return p.text[start : p.pos-1], true
		case c == '\\':
			return p.escaped([]byte(p.text[start:p.pos]))
		case c < ' ':
			return "", false
		}
		p.pos++
	}
	return "", false
}

// escaped goes on with a string at its first escape; b is what came before.
func (p *jsonParser) escaped(b []byte) (string, bool) {
	for p.pos < len(p.text) {
		c := p.text[p.pos]
		p.pos++
		switch {
		case c == '"':
			return string(b), true
		case c < ' ':
			return "", false
		case c != '\\':
			b = append(b, c)
			continue
		}
		r, ok := p.escape()
		if !ok {
			return "", false
		}
		b = utf8.AppendRune(b, r)
	}
	return "", false
}

// escape consumes what follows a backslash.
func (p *jsonParser) escape() (rune, bool) {
	if p.pos == len(p.text) {
		return 0, false
	}
	c := p.text[p.pos]
	p.pos++
	switch c {
	case '"', '\\', '/':
		return rune(c), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'u':
		r, ok := p.hex4()
		if !ok || !utf16.IsSurrogate(r) {
			return r, ok
		}
		if !p.literal(`\u`) {
			return 0, false
		}
		low, ok := p.hex4()
		r = utf16.DecodeRune(r, low)
		return r, ok && r != utf8.RuneError
	}
	return 0, false
}

func (p *jsonParser) hex4() (rune, bool) {
	if len(p.text)-p.pos < 4 {
		return 0, false
	}
	var r rune
	for _, c := range []byte(p.text[p.pos : p.pos+4]) {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	p.pos += 4
	return r, true
}

// digits consumes decimal digits and returns their number.
func (p *jsonParser) digits() int {
	start := p.pos
	for p.pos < len(p.text) && '0' <= p.text[p.pos] && p.text[p.pos] <= '9' {
		p.pos++
	}
	return p.pos - start
}

func (p *jsonParser) number() (record.Value, bool) {
	start := p.pos
	p.next('-')
	// A zero is the only digit before point or exponent.
	if !p.next('0') && p.digits() == 0 {
		return nil, false
	}
	integer := true
	if p.next('.') {
		integer = false
		if p.digits() == 0 {
			return nil, false
		}
	}
	if p.next('e') || p.next('E') {
		integer = false
		if !p.next('+') {
			p.next('-')
		}
		if p.digits() == 0 {
			return nil, false
		}
	}
	text := p.text[start:p.pos]
	if integer {
		n, err := strconv.ParseInt(text, 10, 64)
		p.outOfRange = p.outOfRange || err != nil
		return n, true
	}
	f, err := strconv.ParseFloat(text, 64)
	p.outOfRange = p.outOfRange || err != nil || math.IsInf(f, 0)
	return f, true
}
