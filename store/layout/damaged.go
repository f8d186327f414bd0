package layout

import (
	"slices"

	"github.com/lanyardctl/lanyardctl/record"
)

// Damaged returns the item of a key under one of Lanyard's own prefixes that no user's record can take up: its id is
// no user id, or it is a user_api_key: of a wrong type. A hash is rejected field by field. It reports false for every
// other key.
func Damaged(f Found) (record.Item, bool) {
	kind, ok := f.Layout.Kind()
	if !ok || !f.Layout.HasUser() || !f.Exists() || f.Foreign() {
		return record.Item{}, false
	}
	_, id := Classify(f.Key)
	user, _ := record.ParseUserID(id)
	reason, detail := record.InvalidUserID, "the key ends in no user id"
	it := record.Item{Kind: kind, Notes: expiring(nil, f)}
	if r, ok := f.unusable(kind, user); ok {
		if user == 0 && f.State == TooLarge {
			r.Reason, r.Detail = reason, detail
		}
		it.Rejects = []record.Reject{r}
		return it, true
	}
	if user != 0 {
		return record.Item{}, false
	}
	line := record.Reject{Key: f.Key, Kind: kind, Reason: reason, Detail: detail, Value: record.Raw(f.Text)}
	if !f.Layout.IsHash() {
		it.Rejects = []record.Reject{line}
		return it, true
	}
	for name, raw := range f.Hash {
		it.Rejects = append(it.Rejects, line.At(name, record.Origin{Key: f.Key, Raw: raw}))
	}
	slices.SortFunc(it.Rejects, compareRejects)
	return it, true
}
