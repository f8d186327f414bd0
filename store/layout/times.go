package layout

import (
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

// LastSeen makes one record of when a user was last seen: the later plausible time of both layouts at now. It reports
// false where neither key exists.
func LastSeen(user record.UserID, fork, upstream Found, now time.Time) (record.Item, bool) {
	return moment(record.LastSeen, user, now, fork, upstream)
}

// MonitoringSince makes one record of when a user's monitoring began: the earliest plausible time of the three layouts
// at now. It reports false where no key exists.
func MonitoringSince(user record.UserID, fork, older, oldest Found, now time.Time) (record.Item, bool) {
	return moment(record.MonitoringSince, user, now, fork, older, oldest)
}

func moment(kind record.Kind, user record.UserID, now time.Time, founds ...Found) (record.Item, bool) {
	times := record.NewTimeItem(kind, user, now)
	exists := false
	for _, f := range founds {
		if !f.Exists() {
			continue
		}
		exists = true
		reject, unusable := f.unusable(kind, user)
		if !unusable {
			times.Add(f.Text, f.origin())
			continue
		}
		if f.State == TooLarge {
			reject.Reason, reject.Detail = longText()
		}
		times.Reject(reject)
	}
	it := times.Item()
	it.Notes = expiring(it.Notes, founds...)
	return it, exists
}

// longText returns what is wrong with a text that is too large to be fetched, where it should be a time.
func longText() (record.Reason, string) { return record.NotATimestamp, "text of more than 32 MiB" }
