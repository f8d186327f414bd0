package layout

import (
	"slices"
	"unicode/utf8"

	"github.com/lanyardctl/lanyardctl/record"
)

// Pair decides which of a user's API keys go on. Claims are the keys api_key:K that name the user today, in any order;
// current is user_api_key:<uid>, which may be absent or unusable. Each API key is an item of its own:
//
//   - current names a claim: that one goes on, every other is stale.
//   - current names no claim, and there is one: it goes on, repaired. It authenticates today, current does not.
//   - current names no claim, and there are several: each is ambiguous.
//   - current names no key that authenticates: it is unpaired, since what does not authenticate today must not tomorrow.
//
// A current of a wrong type is no item of Pair's: see [Damaged].
func Pair(user record.UserID, claims []Found, current Found) []record.Item {
	claims = slices.Clone(claims)
	slices.SortFunc(claims, func(a, b Found) int { return compareRejects(rejected(user, a), rejected(user, b)) })
	claims = slices.CompactFunc(claims, func(a, b Found) bool { return a.Key == b.Key })

	paired := -1
	if current.State == Present {
		want := APIKey.Key(current.Text)
		paired = slices.IndexFunc(claims, func(c Found) bool { return c.Key == want })
	}
	items := make([]record.Item, 0, len(claims)+1)
	for i, claim := range claims {
		switch {
		case i == paired:
			items = append(items, goesOn(user, claim, expiring(nil, claim, current)))
		case paired >= 0:
			items = append(items, Stale(user, claim))
		case len(claims) == 1:
			items = append(items, goesOn(user, claim, expiring([]record.Note{record.Repaired}, claim)))
		default:
			items = append(items, reject(user, claim, record.AmbiguousAPIKey,
				"several keys authenticate as this user, and none is the user's current one"))
		}
	}
	if paired < 0 && (current.State == Present || current.State == TooLarge) {
		items = append(items, reject(user, current, record.UnpairedAPIKey,
			"the user's current key, but it does not authenticate"))
	}
	return items
}

// Paired returns the item of a claim that the user's current key names.
func Paired(user record.UserID, claim, current Found) record.Item {
	return goesOn(user, claim, expiring(nil, claim, current))
}

// Stale returns the item of a claim whose user has another current key that authenticates.
func Stale(user record.UserID, claim Found) record.Item {
	return reject(user, claim, record.StaleAPIKey, "authenticates, but the user's current key is another")
}

func goesOn(user record.UserID, claim Found, notes []record.Note) record.Item {
	_, key := Classify(claim.Key)
	if !utf8.ValidString(key) {
		return reject(user, claim, record.InvalidUTF8, "the API key is not valid UTF-8")
	}
	return record.Item{
		Kind:   record.APIKeys,
		Record: &record.Record{Kind: record.APIKeys, User: user, APIKey: key, Origin: claim.origin()},
		Notes:  notes,
	}
}

func reject(user record.UserID, f Found, reason record.Reason, detail string) record.Item {
	r := rejected(user, f)
	r.Reason, r.Detail = reason, detail
	it := record.Item{Kind: record.APIKeys, Rejects: []record.Reject{r}, Notes: expiring(nil, f)}
	if l, key := Classify(f.Key); l == APIKey {
		it.APIKey = key
	}
	return it
}

func rejected(user record.UserID, f Found) record.Reject {
	r := record.Reject{Key: f.Key, Kind: record.APIKeys, User: user, Value: record.Raw(f.Text)}
	if f.State != Present {
		r.Value = f.notFetched()
	}
	return r
}
