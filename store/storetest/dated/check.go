package dated

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"github.com/lanyardctl/lanyardctl/record"
)

// Check returns in what monitoring, as it is after a sweep, is not what it should be, given what it was before. Documents
// are named values in the types that [Document] has.
func (w *World) Check(before, after []map[string]any) []string {
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	was, strangers := byUser(before)
	is, left := byUser(after)
	if !sameDocuments(strangers, left) {
		fault("documents of nobody were touched")
	}
	for user, want := range w.Users {
		now := is[user]
		if want.Date == 0 {
			if !sameDocuments(was[user], now) {
				fault("user %s has no plausible date, and was touched: %v", user, now)
			}
			continue
		}
		if len(now) != 1 {
			fault("user %s has %d documents", user, len(now))
			continue
		}
		doc := now[0]
		if doc["user_id"] != user.String() {
			fault("user %s: user_id %v", user, doc["user_id"])
		}
		if n := integer(doc["since"]); n != want.Date {
			fault("user %s: since %T %v, want %d", user, doc["since"], doc["since"], want.Date)
		}
		if want.Right && !reflect.DeepEqual(doc, was[user][0]) {
			fault("user %s was right, and was touched: %v", user, doc)
		}
		for _, old := range was[user] {
			for name := range old {
				if name == "_id" || name == "user_id" || name == "since" {
					continue
				}
				if !slices.ContainsFunc(was[user], func(d map[string]any) bool { return reflect.DeepEqual(d[name], doc[name]) }) {
					fault("user %s: field %s is %v", user, name, doc[name])
				}
			}
		}
	}
	for user := range is {
		if _, known := w.Users[user]; !known {
			fault("user %s came out of nowhere", user)
		}
	}
	return faults
}

func integer(v any) int64 {
	switch n := v.(type) {
	case int32:
		return int64(n)
	case int64:
		return n
	}
	return 0
}

// byUser sorts documents by whose they are, by text or by an integer.
func byUser(docs []map[string]any) (users map[record.UserID][]map[string]any, nobodys []map[string]any) {
	users = make(map[record.UserID][]map[string]any)
	for _, doc := range docs {
		text, ok := doc["user_id"].(string)
		if !ok {
			text = strconv.FormatInt(integer(doc["user_id"]), 10)
		}
		if user, ok := record.ParseUserID(text); ok {
			users[user] = append(users[user], doc)
		} else {
			nobodys = append(nobodys, doc)
		}
	}
	return users, nobodys
}

// sameDocuments reports whether both are the same documents, in whatever order.
func sameDocuments(a, b []map[string]any) bool {
	if len(a) != len(b) {
		return false
	}
	for _, doc := range a {
		if !slices.ContainsFunc(b, func(o map[string]any) bool { return reflect.DeepEqual(doc, o) }) {
			return false
		}
	}
	return true
}
