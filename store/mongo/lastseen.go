package mongo

import "github.com/lanyardctl/lanyardctl/record"

// lastSeen are the documents of the times at which users were last seen: {user_id, timestamp, updated_at}. A sweep needs
// nothing of them.
var lastSeen = &timeSchema{
	traits:  traits{kind: record.LastSeen, content: record.TimeFields(record.LastSeen)},
	updated: true,
}
