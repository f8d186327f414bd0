package persistence

import (
	"fmt"
	"maps"
	"slices"

	"github.com/rivo/uniseg"

	"github.com/lanyardctl/lanyardctl/record"
)

// The app's own limits, and its own messages.
const (
	mostPairs     = 512
	mostName      = 255   // characters
	mostCharacter = 30000 // of a value, as a reader counts them: graphemes

	tooManyPairs = "request would exceed key limit (512), please delete keys first"
	longName     = "key must be 255 characters or less"
	badName      = "key must be alphanumeric (a-zA-Z0-9_)"
	longValue    = "value must be 30000 characters or less"
)

// LimitError says which of the app's limits a change would break, in the app's own words.
type LimitError struct {
	Field   string // empty where it is not about one
	Message string
}

func (e *LimitError) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return fmt.Sprintf("field %q: %s", e.Field, e.Message)
}

// checkLimits fails where the app would refuse the pairs that are set, after which there are so many pairs.
func checkLimits(set map[string]record.Value, pairs int) error {
	for _, name := range slices.Sorted(maps.Keys(set)) {
		text, _ := set[name].(string)
		switch {
		case !plainName(name):
			return &LimitError{name, badName}
		case len(name) > mostName:
			return &LimitError{name, longName}
		case len(text) > mostCharacter && uniseg.GraphemeClusterCount(text) > mostCharacter:
			return &LimitError{name, longValue}
		}
	}
	if pairs > mostPairs && len(set) > 0 {
		return &LimitError{Message: tooManyPairs}
	}
	return nil
}

// plainName reports whether the app takes the name. The empty one it takes.
func plainName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}
