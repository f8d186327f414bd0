package record

import "time"

// TimeItem is the item of a user's [LastSeen] or [MonitoringSince] in the making, of all that a source has of it: of
// several plausible times the one goes on that [Merge] keeps, and whatever is none is a reject.
type TimeItem struct {
	kind       Kind
	user       UserID
	bounds     Bounds
	item       Item
	normalised bool
}

// NewTimeItem begins an item. Now decides which times are plausible.
func NewTimeItem(kind Kind, user UserID, now time.Time) TimeItem {
	return TimeItem{kind: kind, user: user, bounds: TimeBounds(kind, user, now), item: Item{Kind: kind}}
}

// Add adds what the source has at one place, as [Timestamp] takes it.
func (t *TimeItem) Add(v any, from Origin) {
	m, reason, detail := Timestamp(t.kind, v, t.bounds)
	if reason != "" {
		t.Reject(Reject{Key: from.Key, Kind: t.kind, User: t.user, Reason: reason, Detail: detail, Value: Raw(from.Raw)})
		return
	}
	if t.item.Record != nil && (t.item.Record.Time == m.Time || (t.item.Record.Time < m.Time) == t.kind.timeKind().earliest) {
		return
	}
	t.item.Record = &Record{Kind: t.kind, User: t.user, Time: m.Time, Origin: from}
	t.normalised = m.Normalised
}

// Reject adds a place of which the source cannot tell a time.
func (t *TimeItem) Reject(r Reject) { t.item.Rejects = append(t.item.Rejects, r) }

// Item returns the item. Where nothing was added it has neither a record nor a reject.
func (t *TimeItem) Item() Item {
	if t.normalised {
		t.item.Notes = append(t.item.Notes, Normalised)
	}
	return t.item
}
