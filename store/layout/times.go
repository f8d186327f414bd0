package layout

import (
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

// LastSeen makes one record of when a user was last seen: the later plausible time of both layouts at now. It reports
// false where neither key exists.
func LastSeen(user record.UserID, fork, upstream Found, now time.Time) (record.Item, bool) {
	later := func(a, b int64) bool { return a > b }
	return moment(record.LastSeen, user, now, later, fork, upstream)
}

// MonitoringSince makes one record of when a user's monitoring began: the earliest plausible time of the three layouts
// at now. It reports false where no key exists.
func MonitoringSince(user record.UserID, fork, older, oldest Found, now time.Time) (record.Item, bool) {
	earlier := func(a, b int64) bool { return a < b }
	return moment(record.MonitoringSince, user, now, earlier, fork, older, oldest)
}

func moment(
	kind record.Kind, user record.UserID, now time.Time, better func(a, b int64) bool, founds ...Found,
) (record.Item, bool) {
	it := record.Item{Kind: kind}
	bounds := record.TimeBounds(kind, user, now)
	exists, normalised := false, false
	for _, f := range founds {
		if !f.Exists() {
			continue
		}
		exists = true
		m, reject, ok := momentOf(kind, user, bounds, f)
		if !ok {
			it.Rejects = append(it.Rejects, reject)
			continue
		}
		if it.Record == nil || better(m.Time, it.Record.Time) {
			it.Record = &record.Record{Kind: kind, User: user, Time: m.Time, Origin: f.origin()}
			normalised = m.Normalised
		}
	}
	if normalised {
		it.Notes = append(it.Notes, record.Normalised)
	}
	it.Notes = expiring(it.Notes, founds...)
	return it, exists
}

func momentOf(
	kind record.Kind, user record.UserID, bounds record.Bounds, f Found,
) (record.Moment, record.Reject, bool) {
	if reject, ok := f.unusable(kind, user); ok {
		if f.State == TooLarge {
			reject.Reason, reject.Detail = longText()
		}
		return record.Moment{}, reject, false
	}
	m, reason, detail := record.Timestamp(kind, f.Text, bounds)
	if reason != "" {
		return record.Moment{}, record.Reject{
			Key: f.Key, Kind: kind, User: user, Reason: reason, Detail: detail, Value: record.Raw(f.Text),
		}, false
	}
	return m, record.Reject{}, true
}

// longText returns what is wrong with a text that is too large to be fetched, where it should be a time.
func longText() (record.Reason, string) { return record.NotATimestamp, "text of more than 32 MiB" }
