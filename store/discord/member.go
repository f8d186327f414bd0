package discord

import (
	"bytes"
	"encoding/json"

	"github.com/lanyardctl/lanyardctl/record"
)

// member is a guild member as the API and exports have it; what else they tell is ignored.
type member struct {
	User     json.RawMessage `json:"user"`
	JoinedAt json.RawMessage `json:"joined_at"`
	Members  json.RawMessage `json:"members"` // of something else that holds members
}

// unnamed is the name of a member without a user.
const unnamed = "no user"

// dateValue returns what the member says.
func (m *member) dateValue() record.DateValue {
	c := record.DateValue{Name: unnamed}
	var user struct {
		ID json.RawMessage `json:"id"`
	}
	// What is no object has no id.
	if json.Unmarshal(m.User, &user) == nil && !isNull(user.ID) {
		c.Name = string(user.ID)
		var text string
		if json.Unmarshal(user.ID, &text) == nil {
			c.Name = text
		}
		if id, ok := record.ParseUserID(c.Name); ok {
			c.User, c.Name = id, ""
		}
	}
	if !isNull(m.JoinedAt) {
		c.Has, c.Value = true, moment(m.JoinedAt)
	}
	return c
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || bytes.Equal(raw, []byte("null")) }

// moment returns a JSON value in a form that [record.Timestamp] takes where it is a time.
func moment(raw json.RawMessage) any {
	if n, ok := record.ParseNumber(string(raw)); ok {
		return n
	}
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return nil // which is no time either
	}
	return v
}
