package location

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/discord"
)

// TokenVariable names the variable with the Discord bot's token.
const TokenVariable = "BOT_TOKEN"

// Discord says whose join dates count.
type Discord struct {
	Guilds  []record.UserID
	Members []string // files
	Token   string   // a secret
	API     string   // empty for Discord's own

	// RetryFor is how long a request that fails is made again.
	RetryFor time.Duration
}

// DateSource is an open source of dates, and what people are told of it.
type DateSource struct {
	record.DateSource // nil where another entry reads it
	Shown, Is         string

	members *discord.Members // where it is a file
}

// Remarks returns what a person should know of what was read.
func (d DateSource) Remarks() []string {
	if d.members == nil {
		return nil
	}
	switch entries, nameless := d.members.Counts(); {
	case entries == 0:
		return []string{"the file of members " + d.Shown + " has no entry: is it the right one?"}
	case nameless > 0:
		return []string{fmt.Sprintf("%s of %s in the file of members %s have no user with an id, and count for nothing",
			ui.Thousands(nameless), ui.Plural(entries, "entry"), d.Shown)}
	}
	return nil
}

func (d Discord) options(notify func(message string)) discord.Options {
	return discord.Options{Token: d.Token, API: d.API, RetryFor: d.RetryFor, Notify: notify}
}

// Check looks at the token and at the address of Discord's API, without asking there, and returns warnings.
func (d Discord) Check() (warnings []string, err error) {
	if len(d.Guilds) == 0 {
		return nil, nil
	}
	client, err := discord.Open(d.options(nil))
	if err != nil {
		return nil, ExplainDiscord(err)
	}
	client.Close()
	if at, err := url.Parse(d.API); err == nil && at.Scheme == "http" && !loopback(at.Hostname()) {
		warnings = append(warnings, "the Discord token goes to --discord-api without encryption: use https://")
	}
	return warnings, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Open opens the guilds and the files of members. The caller closes what is returned, also after an error.
func (d Discord) Open(notify func(message string)) (sources []DateSource, closeAll func() error, err error) {
	var closing []func() error
	closeAll = func() error {
		var failed []error
		for _, closeIt := range closing {
			failed = append(failed, closeIt())
		}
		return errors.Join(failed...)
	}
	if len(d.Guilds) > 0 {
		client, err := discord.Open(d.options(notify))
		if err != nil {
			return nil, closeAll, ExplainDiscord(err)
		}
		closing = append(closing, func() error { client.Close(); return nil })
		for _, id := range d.Guilds {
			guild, err := client.Guild(id.String())
			if err != nil {
				return nil, closeAll, ExplainDiscord(err)
			}
			sources = append(sources, DateSource{DateSource: guild, Shown: "guild " + id.String(), Is: "when its members joined, by Discord's API"})
		}
	}
	var files memberFiles
	for _, path := range d.Members {
		file, err := discord.OpenMembers(path)
		if err != nil {
			return nil, closeAll, explainMembers(err)
		}
		closing = append(closing, file.Close)
		files = append(files, file)
		sources = append(sources, DateSource{Shown: ui.PrintableLine(path), Is: "a file of guild members", members: file})
	}
	if len(files) > 0 {
		sources[len(sources)-1].DateSource = files
	}
	return sources, closeAll, nil
}

// memberFiles are several files of members as one source.
type memberFiles []*discord.Members

// Places implements [record.DateSource].
func (m memberFiles) Places() []record.DatePlace { return m[0].Places() }

// Total implements [record.DateSource].
func (m memberFiles) Total(ctx context.Context) (int64, error) {
	var total int64
	for _, file := range m {
		n, err := file.Total(ctx)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// Values implements [record.DateSource].
func (m memberFiles) Values(ctx context.Context, yield func([]record.DateValue) error) error {
	for _, file := range m {
		if err := file.Values(ctx, yield); err != nil {
			return err
		}
	}
	return nil
}

// explainMembers gives an error of opening a file of members its next step.
func explainMembers(err error) error {
	if known, ok := errors.AsType[*exit.Error](ExplainDiscord(err)); ok {
		return known
	}
	return exit.Failure(err, "is the path in --members right, and is it a file?")
}

// IsDiscords reports whether the error is of Discord, or of a file of members.
func IsDiscords(err error) bool {
	_, ok := errors.AsType[*discord.Error](err)
	return ok
}

// ExplainDiscord gives an error of the members its exit code and the next step. It returns other errors as they are.
func ExplainDiscord(err error) error {
	switch {
	case errors.Is(err, discord.ErrAddress):
		return exit.WrongUse(fmt.Sprintf("--discord-api: %v", err), "such as https://discord.com/api/v9")
	case errors.Is(err, discord.ErrToken):
		return exit.Failure(err, "check "+TokenVariable+": it is the token of a bot, from Discord's developer portal")
	case errors.Is(err, discord.ErrForbidden):
		return exit.Failure(err, "invite the bot to the guild, and switch on its Server Members Intent in Discord's developer portal")
	case errors.Is(err, discord.ErrGuild):
		return exit.Failure(err, "check --guild: Discord's developer mode copies the id of a server")
	case errors.Is(err, discord.ErrNotDiscord):
		return exit.Failure(err, "check --discord-api, and what stands between here and Discord")
	case errors.Is(err, discord.ErrNotMembers):
		return exit.Failure(err, `give a file with a JSON array of members, or one a line, such as {"user": {"id": "…"}, "joined_at": "…"}`)
	case errors.Is(err, discord.ErrUnreachable), errors.Is(err, discord.ErrBusy):
		return exit.Failure(err, "see whether Discord can be reached from here, then run the same command again; --members FILE needs no Discord")
	}
	return err
}
