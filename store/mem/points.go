package mem

import (
	"context"
	"slices"

	"github.com/lanyardctl/lanyardctl/record"
)

// StandingsOf implements [record.TargetPointReader].
func (s *Store) StandingsOf(
	ctx context.Context, kind record.Kind, users []record.UserID, yield func([]record.Standing) error,
) error {
	of := slices.DeleteFunc(holdings{s}.standings(kind), func(s record.Standing) bool {
		return kind.OfUsers() && (s.Numeric || s.User == 0 || !slices.Contains(users, s.User))
	})
	return inPages(ctx, of, yield)
}
