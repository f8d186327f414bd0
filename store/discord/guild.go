package discord

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"

	"github.com/bwmarrin/discordgo"

	"github.com/lanyardctl/lanyardctl/record"
)

// Guild is a guild as a source of the dates on which its members joined.
type Guild struct {
	client *Client
	id     string
}

// Places returns the guild.
func (g *Guild) Places() []record.DatePlace { return []record.DatePlace{{Name: "guild:" + g.id}} }

// Total returns about how many members there are, or zero: what fails here fails again, and is told, when they are read.
func (g *Guild) Total(ctx context.Context) (int64, error) {
	guild := discordgo.EndpointGuild(g.id)
	body, err := g.client.once(ctx, guild+"?with_counts=true", guild)
	if ctx.Err() != nil {
		return 0, canceled(ctx, "count the members of guild "+g.id)
	}
	var counts struct {
		Members int64 `json:"approximate_member_count"`
	}
	if err != nil || json.Unmarshal(body, &counts) != nil {
		return 0, nil
	}
	return max(counts.Members, 0), nil
}

// Values delivers when each member joined, a page at a time. Its error is an [*Error], or wraps the context's cause.
func (g *Guild) Values(ctx context.Context, yield func([]record.DateValue) error) error {
	op := "list the members of guild " + g.id
	for after, full := record.UserID(0), true; ; {
		values, err := g.page(ctx, op, after)
		if err != nil {
			return err
		}
		highest := after
		for _, c := range values {
			highest = max(highest, c.User)
		}
		if highest == after {
			// The page is empty, or the same as the last one. Only a list that ended may stand still.
			if full && len(values) > 0 {
				return &Error{Op: op, Reason: ErrNotDiscord, Detail: "the list does not go on after user " + after.String()}
			}
			return nil
		}
		after, full = highest, len(values) >= g.client.pageSize
		if err := yield(values); err != nil {
			return err
		}
	}
}

// page lists members with ids above after. Members are decoded here rather than by discordgo, with which one odd date
// loses the page.
func (g *Guild) page(ctx context.Context, op string, after record.UserID) ([]record.DateValue, error) {
	members := discordgo.EndpointGuildMembers(g.id)
	query := url.Values{"limit": {strconv.Itoa(g.client.pageSize)}}
	if after != 0 {
		query.Set("after", after.String())
	}
	body, err := g.client.get(ctx, op, members+"?"+query.Encode(), members)
	if err != nil {
		return nil, g.explained(ctx, err)
	}
	var list []*member
	if err := json.Unmarshal(body, &list); err != nil || list == nil {
		return nil, &Error{Op: op, Reason: ErrNotDiscord, Detail: "the answer is no list of members"}
	}
	values := make([]record.DateValue, len(list))
	for i, m := range list {
		if m == nil {
			m = &member{}
		}
		values[i] = m.dateValue()
	}
	return values, nil
}

// explained adds to a refusal what is the matter. Discord says the same to a bot that is not in the guild and to one that
// may not list members.
func (g *Guild) explained(ctx context.Context, err error) error {
	var e *Error
	if !errors.As(err, &e) || e.Reason != ErrForbidden {
		return err
	}
	guild := discordgo.EndpointGuild(g.id)
	_, err = g.client.once(ctx, guild, guild)
	var r *refusal
	switch {
	case ctx.Err() != nil:
		return canceled(ctx, e.Op)
	case err == nil:
		e.Detail += ": it is in the guild, so it lacks the Server Members Intent, which is switched on for the bot in " +
			"Discord's developer portal"
	case errors.As(err, &r) && (r.code == codeMissingAccess || r.code == codeUnknownGuild):
		e.Detail += ": it is not in the guild"
	default:
		e.Detail += ": it is not in the guild, or lacks the Server Members Intent"
	}
	return e
}
