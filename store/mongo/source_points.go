package mongo

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/record"
)

// ReadUsers implements [record.PointReader]. It does not find documents whose user_id is a number. Items
// of tables are no user's.
func (s *Source) ReadUsers(
	ctx context.Context, kinds record.Kinds, users []record.UserID, yield func(record.Page) error,
) error {
	kinds &= s.kinds
	asked := distinctUsers(users)
	if len(s.users) > 0 {
		asked = slices.DeleteFunc(asked, func(u record.UserID) bool {
			_, wanted := slices.BinarySearch(s.users, u)
			return !wanted
		})
	}
	for _, kind := range kinds.List() {
		if kind.Named() {
			continue
		}
		if !kind.Identified() {
			if page, err := s.counters(ctx, kind); err != nil {
				return err
			} else if err := yield(page); err != nil {
				return err
			}
			continue
		}
		err := s.points(ctx, kind, asked, func(items []record.Item, documents int) error {
			seen := record.KeyCounts{Keys: int64(documents), Lanyard: int64(documents)}
			return yield(record.Page{Items: items, Seen: seen})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// counters returns what there is of a kind that is nobody's.
func (s *Source) counters(ctx context.Context, kind record.Kind) (page record.Page, err error) {
	err = s.retry.Do(ctx, func() error {
		documents, err := s.store.counterDocuments(ctx, kind)
		n := int64(len(documents))
		page.Items = schemaOf(kind).appendItems(nil, s.origin(kind, 0, globalType), documents...)
		page.Seen = record.KeyCounts{Keys: n, Lanyard: n}
		return err
	})
	return page, err
}

// pointBytes bounds the documents of several users that are held at a time.
const pointBytes = 2 * pageBytes

// points delivers the items of the users, which are distinct, some users at a time, with how many documents they are of.
func (s *Source) points(
	ctx context.Context, kind record.Kind, users []record.UserID, deliver func(items []record.Item, documents int) error,
) error {
	for some := range slices.Chunk(users, textsAtOnce) {
		if err := s.pointsOfSome(ctx, kind, some, deliver); err != nil {
			return err
		}
	}
	return nil
}

func (s *Source) pointsOfSome(
	ctx context.Context, kind record.Kind, users []record.UserID, deliver func(items []record.Item, documents int) error,
) error {
	most := s.pointBytes
	if len(users) == 1 {
		most = math.MaxInt
	}
	var items []record.Item
	var documents int
	err := s.retry.Do(ctx, func() (err error) {
		items, documents, err = s.itemsOf(ctx, kind, users, most)
		return err
	})
	if errors.Is(err, record.ErrTooMuch) {
		half := len(users) / 2
		if err := s.pointsOfSome(ctx, kind, users[:half], deliver); err != nil {
			return err
		}
		return s.pointsOfSome(ctx, kind, users[half:], deliver)
	}
	if err != nil || documents == 0 {
		return err
	}
	return deliver(items, documents)
}

// itemsOf returns the items of the users, whose documents are of at most so many bytes.
func (s *Source) itemsOf(
	ctx context.Context, kind record.Kind, users []record.UserID, most int,
) (items []record.Item, documents int, err error) {
	found, err := s.store.Documents().OfUsers(ctx, kind, users, most)
	if err != nil {
		return nil, 0, err
	}
	of := make(map[record.UserID][]bson.Raw, len(users))
	var keys []string
	for _, d := range found {
		of[d.User] = append(of[d.User], d.Raw)
		if d.Held.APIKey != "" {
			keys = append(keys, d.Held.APIKey)
		}
	}
	shared := s.shared
	if len(keys) > 0 && !s.uniqueKeys {
		if shared, err = s.sharedAmong(ctx, keys); err != nil {
			return nil, 0, err
		}
	}
	for _, user := range users {
		if len(of[user]) > 0 {
			o := s.origin(kind, user, user.String())
			o.shared = shared
			items = schemaOf(kind).appendItems(items, o, of[user]...)
		}
	}
	return items, len(found), nil
}

// usersPart reads the users that were asked for. Its positions are the last user read.
type usersPart struct{ source *Source }

// Name implements [record.Part].
func (usersPart) Name() string { return "users" }

// Read implements [record.Part].
func (p usersPart) Read(ctx context.Context, from string, yield func(record.Page) error) error {
	users := p.source.users
	if from != "" {
		last, ok := record.ParseUserID(from)
		if !ok {
			return fmt.Errorf("read documents of users: %q is no position among them", from)
		}
		n, found := slices.BinarySearch(users, last)
		if found {
			n++
		}
		users = users[n:]
	}
	for some := range slices.Chunk(users, textsAtOnce) {
		var seen record.KeyCounts
		for _, c := range p.source.collections {
			err := p.source.points(ctx, c.kind, some, func(items []record.Item, documents int) error {
				seen.Lanyard += int64(documents)
				return yield(record.Page{Items: items, Next: from})
			})
			if err != nil {
				return err
			}
			seen.Keys += int64(len(some))
		}
		from = some[len(some)-1].String()
		if err := yield(record.Page{Seen: seen, Next: from}); err != nil {
			return err
		}
	}
	return nil
}
