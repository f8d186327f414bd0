package discord

import (
	"errors"
	"strconv"
	"strings"
	"unicode"

	"github.com/lanyardctl/lanyardctl/record"
)

// Why members cannot be listed.
var (
	ErrToken       = errors.New("the bot's token is refused")
	ErrForbidden   = errors.New("the bot may not see the members")
	ErrGuild       = errors.New("no such guild")
	ErrUnreachable = errors.New("the server is unreachable")
	ErrAddress     = errors.New("not a usable address of Discord's API")
	ErrNotDiscord  = errors.New("this is not how Discord's API answers")

	// ErrBusy tells that Discord, or what stands before it, kept answering that it cannot answer now.
	ErrBusy = errors.New("the server cannot answer now")
)

// ErrNotMembers tells that a file is no list of members.
var ErrNotMembers = errors.New("this is no list of guild members, which is a JSON array or one member a line")

// Error is a failure to read members. Its text holds no secret and nothing of a file's content. It unwraps to the reason
// and, where the same may succeed later, to [record.ErrUnavailable].
type Error struct {
	Op     string // "list the members of guild 123"
	Reason error  // one of this package's errors
	Detail string

	later bool
}

// Error returns the operation, the reason and the detail.
func (e *Error) Error() string {
	text := e.Op + ": " + e.Reason.Error()
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

// Unwrap returns the reasons.
func (e *Error) Unwrap() []error {
	if e.later {
		return []error{e.Reason, record.ErrUnavailable}
	}
	return []error{e.Reason}
}

// shownPath returns the path as it is, unless a terminal would do something else with it than show it.
func shownPath(path string) string {
	if strings.ContainsFunc(path, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }) {
		return strconv.Quote(path)
	}
	return path
}
