package mem

import (
	"context"
	"slices"

	"github.com/lanyardctl/lanyardctl/record"
)

// ReadUsers implements [record.TargetPointReader].
func (s *Store) ReadUsers(
	ctx context.Context, kind record.Kind, users []record.UserID, yield func([]record.Document) error,
) error {
	of := slices.DeleteFunc(reader{s}.documents(kind), func(s record.Document) bool {
		return kind.OfUsers() && (s.Numeric || s.User == 0 || !slices.Contains(users, s.User))
	})
	return inPages(ctx, of, yield)
}
