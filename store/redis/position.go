package redis

import (
	"fmt"
	"strconv"
	"strings"
)

// position is where the reading of a part stands. Its text is the cursor's digits, or "end"; "+claims" follows where
// API keys were held up to there, and after a space what the part held at the start. The start is the empty text.
type position struct {
	cursor uint64
	end    bool
	claims bool
	held   string // for [node.recall]
}

const claimsMark = "+claims"

func (p position) String() string {
	text := "end"
	if !p.end {
		text = strconv.FormatUint(p.cursor, 10)
	}
	switch {
	case p.claims:
		text += claimsMark
	case text == "0":
		return ""
	}
	if p.held != "" {
		text += " " + p.held
	}
	return text
}

func parsePosition(text string) (position, error) {
	if text == "" {
		return position{}, nil
	}
	var p position
	text, p.held, _ = strings.Cut(text, " ")
	rest, claims := strings.CutSuffix(text, claimsMark)
	p.claims = claims
	if rest == "end" {
		p.end = true
		return p, nil
	}
	cursor, err := strconv.ParseUint(rest, 10, 64)
	if err != nil {
		return position{}, fmt.Errorf("%q is no position in a Redis", text)
	}
	p.cursor = cursor
	return p, nil
}
