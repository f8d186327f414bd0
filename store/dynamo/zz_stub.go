package dynamo

import "github.com/lanyardctl/lanyardctl/record"

func (s *Store) Items() record.Items { return nil }
