package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/discord"
)

// discordOptions say how to reach Discord.
func (o sweepOptions) discordOptions(notify func(message string)) discord.Options {
	return discord.Options{Token: o.token, API: o.discordAPI, Notify: notify}
}

// openDiscordDates opens the guilds and the files of members.
func (r *sweepRun) openDiscordDates(_ context.Context, opened *openedDates) error {
	if err := r.openGuilds(opened); err != nil {
		return err
	}
	var files memberFiles
	for _, path := range r.options.members {
		file, err := discord.OpenMembers(path)
		if err != nil {
			return explainMembers(err)
		}
		opened.close = append(opened.close, func() { r.closed("the members", file.Close()) })
		opened.said = append(opened.said, endpoint{ui.PrintableLine(path), "a file of guild members"})
		files = append(files, file)
	}
	if len(files) > 0 {
		opened.sources = append(opened.sources, files)
	}
	return nil
}

func (r *sweepRun) openGuilds(opened *openedDates) error {
	if len(r.options.guilds) == 0 {
		return nil
	}
	client, err := discord.Open(r.options.discordOptions(func(message string) { r.log.Info(message) }))
	if err != nil {
		return explainDiscord(err)
	}
	opened.close = append(opened.close, client.Close)
	for _, id := range r.options.guilds {
		guild, err := client.Guild(id.String())
		if err != nil {
			return explainDiscord(err)
		}
		opened.sources = append(opened.sources, guild)
		opened.said = append(opened.said, endpoint{"guild " + id.String(), "when its members joined, by Discord's API"})
	}
	return nil
}

// memberFiles are several files of members as one source.
type memberFiles []*discord.Members

// Places implements [record.DateSource].
func (m memberFiles) Places() []record.Place { return m[0].Places() }

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

// Claims implements [record.DateSource].
func (m memberFiles) Claims(ctx context.Context, yield func([]record.Claim) error) error {
	for _, file := range m {
		if err := file.Claims(ctx, yield); err != nil {
			return err
		}
	}
	return nil
}

// explainMembers gives an error of opening a file of members its next step.
func explainMembers(err error) error {
	if exit, ok := errors.AsType[*exit.Error](explainDiscord(err)); ok {
		return exit
	}
	return exit.Failure(err, "is the path in --members right, and is it a file?")
}

// explainDiscord gives an error of the members its exit code and the next step. It returns other errors as they are.
func explainDiscord(err error) error {
	switch {
	case errors.Is(err, discord.ErrAddress):
		return exit.WrongUse(fmt.Sprintf("--discord-api: %v", err), "such as https://discord.com/api/v9")
	case errors.Is(err, discord.ErrToken):
		return exit.Failure(err, "check "+tokenVariable+": it is the token of a bot, from Discord's developer portal")
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
