package redact

import (
	"regexp"
	"strings"
)

// userInArgument matches what may be a user name and a password.
var userInArgument = regexp.MustCompile(`(?s)://|:.*@`)

// pathInArgument matches what begins as a path does.
var pathInArgument = regexp.MustCompile(`^\.{0,2}/`)

// MayHoldUser tells whether what was typed may hold a user name and a password.
func MayHoldUser(text string) bool {
	return userInArgument.MatchString(text) && (strings.Contains(text, "://") || !pathInArgument.MatchString(text))
}
