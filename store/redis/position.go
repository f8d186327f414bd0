package redis

import (
	"fmt"
	"strconv"
	"strings"
)

// position is where the reading of a part stands. Its text is the cursor's digits, or "end"; "+claims" follows where
// API keys were held up to there. The start is the empty text.
type position struct {
	cursor uint64
	end    bool
	claims bool
}

const claimsMark = "+claims"

func (p position) String() string {
	text := "end"
	if !p.end {
		text = strconv.FormatUint(p.cursor, 10)
	}
	switch {
	case p.claims:
		return text + claimsMark
	case text == "0":
		return ""
	}
	return text
}

func parsePosition(text string) (position, error) {
	if text == "" {
		return position{}, nil
	}
	var p position
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
