package rdb

import (
	"fmt"
	"strconv"
	"strings"
)

// position is where a reading stands. Its text is "<offset>@<at>"; the start is the empty text.
type position struct {
	offset int64 // in the file, at the beginning of a key or at the end
	at     int64 // Unix milliseconds: which keys have expired
}

// String returns the position's text.
func (p position) String() string {
	return strconv.FormatInt(p.offset, 10) + "@" + strconv.FormatInt(p.at, 10)
}

func parsePosition(text string, end int64) (position, error) {
	offset, at, _ := strings.Cut(text, "@")
	var p position
	var err error
	if p.offset, err = strconv.ParseInt(offset, 10, 64); err == nil {
		p.at, err = strconv.ParseInt(at, 10, 64)
	}
	if err != nil || p.offset < int64(headerSize) || p.offset > end {
		return position{}, fmt.Errorf("%q is no position in this file", text)
	}
	return p, nil
}
