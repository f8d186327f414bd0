package lease

import (
	"context"

	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
)

// TakeOver calls take to take something over from its owner for self, again as the policy has it, and reports whether
// self has it. A call whose answer alone was lost has made self the owner, so a later one that is refused is made
// once more from self.
func TakeOver(ctx context.Context, again retry.Policy, from, self record.Owner, take func(from record.Owner) (bool, error)) (won bool, err error) {
	failed := false
	err = again.Do(ctx, func() error {
		if won, err = take(from); err == nil && !won && failed {
			won, err = take(self)
		}
		failed = true
		return err
	})
	return won, err
}
