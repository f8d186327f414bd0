package mem

import (
	"context"
	"slices"

	"github.com/lanyardctl/lanyardctl/record"
)

// APIKeyOwners implements [record.APIKeyOwners].
func (s *Store) APIKeyOwners(ctx context.Context, keys []string) (map[string]record.UserID, error) {
	owners := make(map[string]record.UserID)
	for _, d := range (reader{s}).documents(record.APIKeys) {
		if key := d.Held.APIKey; key != "" && d.User != 0 && !d.Numeric && slices.Contains(keys, key) {
			owners[key] = d.User
		}
	}
	return owners, ctx.Err()
}

// ReadUsers implements [record.TargetPointReader].
func (s *Store) ReadUsers(
	ctx context.Context, kind record.Kind, users []record.UserID, yield func([]record.Document) error,
) error {
	of := slices.DeleteFunc(reader{s}.documents(kind), func(s record.Document) bool {
		return kind.Identified() && (s.Numeric || s.User == 0 || !slices.Contains(users, s.User))
	})
	return inPages(ctx, of, yield)
}
